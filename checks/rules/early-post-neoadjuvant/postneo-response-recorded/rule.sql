-- Whether invasive cancer was left at surgery after neoadjuvant treatment is recorded.
-- denominator: tumours, HER2-positive, M0, with a HER2 antibody before definitive surgery.
with operated as (
    select
        t.*,
        p.transfer_in_date,
        d.first_antibody_date,
        u.tumour_id is not null as surgery_unclear,
        u.missing as unclear_columns,
        coalesce(t.first_surgery_date, u.latest_date, date '9999-12-31') as before_date,
        coalesce(t.last_surgery_date, u.latest_date) as decision_date
    from fct_tumours as t
    inner join stg_patients as p on t.patient_key = p.patient_key
    left join fct_first_doses as d on t.episode_key = d.episode_key
    left join fct_unclear_surgeries as u on t.patient_key = u.patient_key and t.tumour_id = u.tumour_id
),

reports as (
    select
        o.patient_key,
        o.tumour_id,
        min(coalesce(s.report_date, s.surgery_date)) filter (where s.yp_t is not null) as yp_t_date,
        min(coalesce(s.report_date, s.surgery_date)) filter (where s.yp_n is not null) as yp_n_date,
        min(coalesce(s.report_date, s.surgery_date)) filter (
            where coalesce(s.rcb_class, cast(s.residual_invasive as varchar)) is not null
        ) as statement_date,
        bool_or(s.yp_unreadable) as any_unreadable
    from operated as o
    inner join stg_surgeries as s on o.patient_key = s.patient_key and o.tumour_id = s.tumour_id
    where s.surgery_date between o.first_antibody_date and o.first_surgery_date + $surgical_series_days
    group by
        o.patient_key,
        o.tumour_id
),

dated as (
    select
        *,
        least(
            case when yp_t_date is not null and yp_n_date is not null then greatest(yp_t_date, yp_n_date) end,
            statement_date
        ) as response_date
    from reports
),

judged as (
    select
        o.*,
        r.yp_t_date,
        r.yp_n_date,
        r.statement_date,
        r.response_date,
        r.any_unreadable,
        r.yp_t_date is not null and r.yp_n_date is null as nodes_lacking,
        date_diff('day', o.last_surgery_date, r.response_date) as days_to_response
    from operated as o
    left join dated as r on o.patient_key = r.patient_key and o.tumour_id = r.tumour_id
)

select
    patient_key,
    tumour_id,
    site_id,
    episode_key,
    decision_date,
    last_surgery_date + $due_days as due_date,
    last_surgery_date as clock_start,
    first_surgery_date as observed_from,
    case
        when outside_early_her2 is not null then outside_early_her2
        when pathway <> 'neoadjuvant' then 'not-neoadjuvant'
        when last_surgery_date is null and not surgery_unclear then 'no-surgery'
        when coalesce(first_antibody_date >= before_date, true) then 'no-neoadjuvant-antibody'
        when transfer_in_date > last_surgery_date then 'operated-elsewhere'
    end as excluded,
    case
        when last_surgery_date is null then 'surgery-unclear'
        when any_unreadable and coalesce(days_to_response > $due_days, true) then 'response-unreadable'
    end as missing_reason,
    case
        when last_surgery_date is null then unclear_columns
        else ['surgeries.yp_t', 'surgeries.yp_n']
    end as missing,
    case when days_to_response <= $due_days then 'recorded' end as met,
    case when nodes_lacking then ['axilla'] else cast([] as varchar[]) end as lacking,
    case
        when response_date is not null then 'recorded-too-late'
        when nodes_lacking then 'nodes-not-recorded'
        else 'response-not-recorded'
    end as failed,
    $due_days - days_to_response as margin_days,
    case when excluded is null then to_json(struct_pack(
        first_antibody_date := first_antibody_date,
        first_surgery_date := first_surgery_date,
        last_surgery_date := last_surgery_date,
        yp_t_recorded := yp_t_date is not null,
        yp_n_recorded := yp_n_date is not null,
        statement_recorded := statement_date is not null,
        reported := response_date,
        response := response,
        her2_basis := her2_basis
    )) end as evidence
from judged
