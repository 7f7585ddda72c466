-- T-DM1 after residual disease is given for fourteen cycles.
-- denominator: index tumours, HER2-positive, M0, treated before surgery, with T-DM1 (or an accepted T-DXd) after it.
with operated as (
    select
        t.*,
        p.observable_through,
        p.transfer_in_date,
        r.any_residual,
        u.tumour_id is not null as surgery_unclear,
        u.missing as unclear_columns,
        coalesce(t.first_surgery_date, date '0001-01-01') as after_date,
        coalesce(t.recurrence_date, date '9999-12-31') as before_date
    from fct_tumours as t
    inner join stg_patients as p on t.patient_key = p.patient_key
    left join fct_episode_responses as r on t.episode_key = r.episode_key
    left join fct_unclear_surgeries as u on t.patient_key = u.patient_key and t.tumour_id = u.tumour_id
    where t.is_index
),

conjugate_days as (
    select
        o.episode_key,
        d.dose_date,
        bool_or(d.ingredient = 'trastuzumab-emtansine') as is_emtansine,
        bool_or(d.ingredient = 'trastuzumab-deruxtecan') as is_deruxtecan,
        bool_or(d.open_course) as open_course,
        bool_or(d.derived) as derived,
        bool_or(d.in_trial) as in_trial,
        max(d.stop_reason) filter (
            where d.stop_reason in ('toxicity', 'patient-refusal', 'progression', 'death')
        ) as stop_reason
    from operated as o
    inner join fct_doses as d on o.episode_key = d.episode_key
    where
        o.pathway = 'neoadjuvant'
        and d.setting = 'curative'
        and d.dose_date > o.after_date
        and d.dose_date < o.before_date
        and (
            d.ingredient = 'trastuzumab-emtansine'
            or (d.ingredient = 'trastuzumab-deruxtecan' and d.dose_date >= $deruxtecan_accepted_from)
        )
    group by
        o.episode_key,
        d.dose_date
),

spaced as (
    select
        *,
        date_diff('day', lag(dose_date) over (partition by episode_key order by dose_date), dose_date) as days_since
    from conjugate_days
),

conjugates as (
    select
        episode_key,
        count(*) as conjugate_cycles,
        min(dose_date) as first_conjugate_date,
        max(dose_date) as last_conjugate_date,
        max(days_since) as longest_interval_days,
        list_sort(list(cast(dose_date as varchar))) as conjugate_dates,
        bool_or(is_emtansine) as any_emtansine,
        bool_or(is_deruxtecan) as any_deruxtecan,
        bool_or(open_course) as open_course,
        bool_or(derived) as derived,
        bool_or(in_trial) as in_trial,
        max(stop_reason) as stop_reason,
        bool_or(stop_reason = 'toxicity') as stopped_for_toxicity
    from spaced
    group by episode_key
),

toxicity_events as (
    select
        c.episode_key,
        min(e.reason) as reason
    from conjugates as c
    inner join fct_toxicity_stops as e on c.episode_key = e.episode_key
    where
        e.event_date between c.first_conjugate_date and c.last_conjugate_date + $stop_lookahead_days
        and c.last_conjugate_date <= e.last_dose_through
    group by c.episode_key
),

documented_toxicities as (
    select distinct o.episode_key
    from operated as o
    inner join stg_exceptions as x on o.patient_key = x.patient_key
    left join fct_episodes as e on x.patient_key = e.patient_key and x.tumour_id = e.tumour_id
    where
        x.reason in ('toxicity', 'contraindication-medical', 'contraindication-cardiac')
        and x.topic_name in (
            'postneo-tdm1-14-cycles', 'trastuzumab-emtansine', 'trastuzumab-deruxtecan', 'her2-conjugate', 'her2'
        )
        and (x.tumour_id is null or e.episode_key = o.episode_key)
),

antibodies as (
    select
        o.episode_key,
        min(a.dose_date) as first_trastuzumab_date,
        count(*) filter (where a.dose_date > c.last_conjugate_date and not a.weekly and not a.told_twice)
        + count(*) filter (where a.dose_date > c.last_conjugate_date and a.weekly)
        * $weekly_days / $three_weekly_days as substituted_cycles
    from operated as o
    inner join fct_antibody_days as a on o.episode_key = a.episode_key
    left join conjugates as c on o.episode_key = c.episode_key
    where o.pathway = 'neoadjuvant' and a.has_trastuzumab and a.dose_date > o.after_date and a.dose_date < o.before_date
    group by o.episode_key
),

counted as (
    select
        o.*,
        c.first_conjugate_date,
        c.last_conjugate_date,
        c.conjugate_dates,
        c.longest_interval_days,
        c.any_emtansine,
        c.any_deruxtecan,
        c.derived,
        c.open_course,
        c.in_trial,
        coalesce(c.conjugate_cycles, 0) as conjugate_cycles,
        coalesce(c.stop_reason, e.reason) as stop_reason,
        coalesce(c.stopped_for_toxicity, false)
        or e.episode_key is not null
        or x.episode_key is not null as toxicity_documented,
        coalesce(a.substituted_cycles, 0) as substituted_cycles,
        not $conjugates_told_apart and a.episode_key is not null as drug_ambiguous,
        coalesce(c.first_conjugate_date, a.first_trastuzumab_date) as decision_date,
        c.first_conjugate_date + $max_span_days as due_date,
        greatest(c.first_conjugate_date + $max_span_days, c.last_conjugate_date + $open_course_days) as open_until
    from operated as o
    left join conjugates as c on o.episode_key = c.episode_key
    left join toxicity_events as e on o.episode_key = e.episode_key
    left join documented_toxicities as x on o.episode_key = x.episode_key
    left join antibodies as a on o.episode_key = a.episode_key
),

judged as (
    select
        *,
        case
            when conjugate_cycles >= $full_cycles then 'fourteen-cycles'
            when conjugate_cycles >= $full_cycles - $tolerance_cycles then 'near-complete'
            when toxicity_documented and conjugate_cycles + substituted_cycles >= $full_cycles - $tolerance_cycles
                then 'completed-with-trastuzumab'
        end as met
    from counted
)

select
    'conjugate-course' as subject_part,
    patient_key,
    tumour_id,
    site_id,
    episode_key,
    decision_date,
    due_date,
    open_until,
    first_conjugate_date as clock_start,
    last_surgery_date as observed_from,
    first_conjugate_date as drugs_from,
    date '9999-12-31' as drugs_through,
    case
        when outside_early_her2 is not null then outside_early_her2
        when pathway <> 'neoadjuvant' then 'not-neoadjuvant'
        when last_surgery_date is null and not surgery_unclear then 'no-surgery'
        when response = 'pcr' and not any_residual then 'pcr'
        when first_conjugate_date is null and not drug_ambiguous then 'no-conjugate'
        when met is null and transfer_in_date > first_conjugate_date then 'transferred-in-treated'
    end as excluded,
    case
        when last_surgery_date is null then 'surgery-unclear'
        when met is not null then null
        when drug_ambiguous then 'conjugate-not-told-apart'
        when observable_through < open_until then null
        when open_course then 'no-end-date'
        when not any_residual then 'response-unknown'
    end as missing_reason,
    case missing_reason
        when 'surgery-unclear' then unclear_columns
        when 'conjugate-not-told-apart' then ['treatments.drug']
        when 'no-end-date' then ['treatments.end_date']
        when 'response-unknown' then response_lacking
    end as missing,
    met,
    case
        when in_trial then 'trial'
        when stop_reason = 'death' then 'death-before-due'
        else stop_reason
    end as excepted,
    case
        when any_emtansine and any_deruxtecan then ['trastuzumab-emtansine', 'trastuzumab-deruxtecan']
        when any_deruxtecan then ['trastuzumab-deruxtecan']
        else ['trastuzumab-emtansine']
    end as lacking,
    'too-few-cycles' as failed,
    case when excluded is null then to_json(struct_pack(
        last_surgery_date := last_surgery_date,
        response := response,
        conjugate_dates := conjugate_dates,
        conjugate_cycles := conjugate_cycles,
        longest_interval_days := longest_interval_days,
        derived_from_course_dates := derived,
        trastuzumab_cycles_in_its_place := substituted_cycles,
        toxicity_documented := toxicity_documented,
        recorded_stop_reason := stop_reason,
        her2_basis := her2_basis
    )) end as evidence
from judged
