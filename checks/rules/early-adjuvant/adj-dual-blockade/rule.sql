-- Node-positive disease operated on first is treated with pertuzumab beside adjuvant trastuzumab and chemotherapy.
-- denominator: index tumours, surgery first, HER2-positive, M0, node-positive, adjuvant trastuzumab with chemotherapy.
with operated as (
    select
        t.*,
        d.first_cytotoxic_date,
        y.first_trial_date,
        case
            when t.pathological_n in ('1mi', '1', '2', '3') then true
            when t.pathological_n is not null then false
        end as pathological_node_positive
    from fct_tumours as t
    left join fct_first_doses as d on t.episode_key = d.episode_key
    left join fct_first_trials as y on t.episode_key = y.episode_key
    where t.is_index
),

started as (
    select
        o.episode_key,
        min(a.dose_date) as first_trastuzumab_date,
        -- A regimen's name that holds it after an anthracycline does not tell when it began.
        coalesce(
            min(case when not a.trastuzumab_in_sequence then a.dose_date end),
            min(a.dose_date) + ($observed_days - $start_window_days)
        ) as latest_start_date
    from operated as o
    inner join fct_antibody_days as a on o.episode_key = a.episode_key
    where
        o.pathway = 'surgery-first'
        and a.has_trastuzumab
    group by o.episode_key
),

days as (
    select
        a.*,
        s.first_trastuzumab_date,
        s.latest_start_date,
        a.dose_date <= s.first_trastuzumab_date + $observed_days as in_time
    from started as s
    inner join fct_antibody_days as a on s.episode_key = a.episode_key
),

doses as (
    select
        episode_key,
        first_trastuzumab_date,
        latest_start_date,
        min(dose_date) filter (where has_pertuzumab) as first_pertuzumab_date,
        max(dose_date) filter (where has_pertuzumab) as last_pertuzumab_date,
        count(*) filter (where together and in_time) as dual_dates,
        -- As many as there may have been, wherever the doses of a course were given between its first day and its end.
        count(*) filter (where pertuzumab_single and (together or beside_trastuzumab_course) and in_time)
        + least(
            count(*) filter (where pertuzumab_derived and not pertuzumab_single and in_time),
            count(*) filter (
                where
                has_trastuzumab
                and beside_pertuzumab_course
                and dose_date <= first_trastuzumab_date + $observed_days + $together_days
            )
        ) as dual_dates_at_most,
        bool_or(derived) as derived,
        count(*) filter (where has_pertuzumab) as pertuzumab_dates,
        bool_or(pertuzumab_open or coalesce(pertuzumab_in_sequence, false)) as pertuzumab_not_counted,
        bool_or(trastuzumab_open or trastuzumab_in_sequence) as trastuzumab_not_counted,
        max(pertuzumab_stop) filter (
            where pertuzumab_stop in ('toxicity', 'patient-refusal', 'progression')
        ) as pertuzumab_stop,
        count(*) filter (where has_pertuzumab and is_regimen) as regimen_dates
    from days
    group by
        episode_key,
        first_trastuzumab_date,
        latest_start_date
),

judged as (
    select
        o.*,
        d.first_trastuzumab_date,
        d.latest_start_date,
        d.first_pertuzumab_date,
        d.last_pertuzumab_date,
        coalesce(d.dual_dates, 0) as dual_dates,
        d.dual_dates_at_most,
        d.derived,
        coalesce(d.pertuzumab_dates, 0) as pertuzumab_dates,
        d.pertuzumab_not_counted
        or d.regimen_dates = 1
        or (d.trastuzumab_not_counted and d.pertuzumab_dates >= $min_doses) as doses_not_counted,
        d.pertuzumab_stop,
        coalesce(date_diff('day', d.first_trastuzumab_date, d.first_pertuzumab_date) <= $start_window_days, false)
            as started_in_time,
        case $population when 'stage-ii-iii' then o.over_20_mm when 'high-risk' then o.over_50_mm end as is_large,
        case
            when $population = 'all' then true
            when $population = 'node-positive' then o.pathological_node_positive
            when o.pathological_node_positive or is_large or o.inflammatory then true
            when not o.pathological_node_positive and not is_large then false
        end as in_scope
    from operated as o
    left join doses as d on o.episode_key = d.episode_key
),

-- Why pertuzumab that had begun was stopped, as dated events and hearts say.
toxicities as (
    select
        j.episode_key,
        min(e.reason) as reason
    from judged as j
    inner join fct_toxicity_stops as e on j.episode_key = e.episode_key
    where e.event_date between j.first_pertuzumab_date and j.last_pertuzumab_date + $stop_lookahead_days
    group by j.episode_key
),

weighed as (
    select
        j.*,
        coalesce(
            j.pertuzumab_stop,
            x.reason,
            case
                when
                    w.first_weak_date
                    <= coalesce(
                        j.last_pertuzumab_date + $stop_lookahead_days, j.first_trastuzumab_date + $start_window_days
                    )
                    then 'contraindication-cardiac'
            end
        ) as stop_reason
    from judged as j
    left join toxicities as x on j.episode_key = x.episode_key
    left join fct_early_weak_hearts as w on j.episode_key = w.episode_key
)

select
    patient_key,
    tumour_id,
    site_id,
    episode_key,
    first_trastuzumab_date as decision_date,
    case when coalesce(pathological_node_positive, true) then 'default' else 'node-negative' end as edition,
    case
        when started_in_time then first_trastuzumab_date + $observed_days
        else latest_start_date + $start_window_days
    end as due_date,
    first_trastuzumab_date as clock_start,
    coalesce(diagnosis_date, date '0001-01-01') as observed_from,
    date '0001-01-01' as drugs_from,
    due_date as drugs_through,
    case
        when outside_early_her2 is not null then outside_early_her2
        when pathway <> 'surgery-first' then 'not-surgery-first'
        when first_trastuzumab_date is null then 'no-adjuvant-trastuzumab'
        when
            first_cytotoxic_date is null
            or first_cytotoxic_date >= coalesce(recurrence_date, date '9999-12-31') then 'no-chemotherapy'
        when not in_scope and $population = 'stage-ii-iii' then 'stage-i'
        when not in_scope and $population = 'high-risk' then 'not-high-risk'
        when not in_scope then 'node-negative'
    end as excluded,
    case
        when first_surgery_date is null then 'surgery-undated'
        when in_scope is null then 'stage-unknown'
        when pathological_node_positive is null and first_trastuzumab_date < $node_negative_from then 'stage-unknown'
        when started_in_time and dual_dates < $min_doses and doses_not_counted then 'no-end-date'
        when started_in_time and dual_dates < $min_doses and dual_dates_at_most >= $min_doses then 'doses-not-dated'
        when not started_in_time and first_pertuzumab_date <= latest_start_date + $start_window_days
            then 'days-not-recorded'
    end as missing_reason,
    case
        when missing_reason = 'surgery-undated' then ['surgeries.surgery_date']
        when missing_reason = 'no-end-date' then ['treatments.end_date']
        when missing_reason in ('days-not-recorded', 'doses-not-dated') then ['treatments.start_date']
        when pathological_node_positive is null then ['tumours.pathological_n']
        else ['tumours.pathological_t']
    end as missing,
    case when started_in_time and dual_dates >= $min_doses then 'dual-blockade' end as met,
    case when first_trial_date is not null then 'trial' else stop_reason end as excepted,
    ['pertuzumab'] as lacking,
    case
        when pertuzumab_dates = 0 then 'pertuzumab-not-recorded'
        when not started_in_time then 'pertuzumab-too-late'
        else 'too-few-pertuzumab-doses'
    end as failed,
    -- The window of the start decides nothing where pertuzumab began in it and doses are lacking.
    case
        when not (started_in_time and dual_dates < $min_doses)
            then $start_window_days - date_diff('day', first_trastuzumab_date, first_pertuzumab_date)
    end as margin_days,
    case when excluded is null then to_json(struct_pack(
        first_surgery_date := first_surgery_date,
        pathological_n := pathological_n,
        first_trastuzumab_date := first_trastuzumab_date,
        first_pertuzumab_date := first_pertuzumab_date,
        pertuzumab_dates := pertuzumab_dates,
        pertuzumab_with_trastuzumab := dual_dates,
        derived_from_course_dates := derived,
        first_chemotherapy_date := first_cytotoxic_date,
        her2_basis := her2_basis
    )) end as evidence
from weighed
