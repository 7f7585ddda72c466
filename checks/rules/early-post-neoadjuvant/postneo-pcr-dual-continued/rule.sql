-- After a complete response pertuzumab goes on with trastuzumab where nodes were positive at diagnosis.
-- denominator: index tumours, HER2-positive, M0, complete response after both antibodies, node-positive at diagnosis.
with operated as (
    select
        t.*,
        p.observable_through,
        d.first_trastuzumab_date,
        y.first_trial_date,
        r.any_residual,
        n.first_node_sample_date,
        u.tumour_id is not null as surgery_unclear,
        u.missing as unclear_columns,
        coalesce(t.first_surgery_date, u.latest_date, date '9999-12-31') as surgery_or_later,
        coalesce(t.last_surgery_date, u.latest_date) as decision_date,
        d.first_trastuzumab_date + $due_days as due_date,
        coalesce(n.first_node_sample_date <= t.first_systemic_date, false) or t.node_positive
            as node_positive_at_diagnosis
    from fct_tumours as t
    inner join stg_patients as p on t.patient_key = p.patient_key
    left join fct_first_doses as d on t.episode_key = d.episode_key
    left join fct_first_trials as y on t.episode_key = y.episode_key
    left join fct_episode_responses as r on t.episode_key = r.episode_key
    left join fct_node_samples as n on t.patient_key = n.patient_key and t.tumour_id = n.tumour_id
    left join fct_unclear_surgeries as u on t.patient_key = u.patient_key and t.tumour_id = u.tumour_id
    where t.is_index
),

antibodies as (
    select
        o.episode_key,
        bool_or(a.has_trastuzumab and a.dose_date < o.surgery_or_later) as trastuzumab_before,
        bool_or(a.has_pertuzumab and a.dose_date < o.surgery_or_later) as pertuzumab_before,
        count(*) filter (where a.has_pertuzumab and a.dose_date > o.first_surgery_date) as post_doses,
        min(a.dose_date) filter (where a.dose_date > o.first_surgery_date) as restart_date,
        max(a.dose_date) filter (where a.has_pertuzumab) as last_pertuzumab_date,
        max(a.dose_date) filter (where a.has_trastuzumab) as last_trastuzumab_date,
        bool_or(a.pertuzumab_open)
        or count(*) filter (where a.has_pertuzumab and a.is_regimen and a.dose_date > o.first_surgery_date) = 1
            as pertuzumab_not_counted,
        bool_or(a.trastuzumab_open) as trastuzumab_open,
        max(a.pertuzumab_stop) filter (
            where a.pertuzumab_stop in ('toxicity', 'patient-refusal', 'progression')
        ) as pertuzumab_stop,
        max(a.trastuzumab_stop) filter (
            where a.trastuzumab_stop in ('toxicity', 'patient-refusal', 'progression')
        ) as trastuzumab_stop
    from operated as o
    inner join fct_antibody_days as a on o.episode_key = a.episode_key
    where
        o.pathway = 'neoadjuvant'
        and a.dose_date <= o.due_date
        and a.dose_date < coalesce(o.recurrence_date, date '9999-12-31')
    group by o.episode_key
),

conjugates as (
    select distinct o.episode_key
    from operated as o
    inner join fct_doses as d on o.episode_key = d.episode_key
    inner join ingredients as i on d.ingredient = i.ingredient
    where
        i.is_her2_conjugate
        and d.setting = 'curative'
        and d.dose_date > o.first_surgery_date
        and d.dose_date <= o.due_date
        and d.dose_date < coalesce(o.recurrence_date, date '9999-12-31')
),

toxicities as (
    select
        o.episode_key,
        min(e.reason) as reason
    from operated as o
    inner join fct_toxicity_stops as e on o.episode_key = e.episode_key
    where e.event_date between o.first_trastuzumab_date and o.due_date
    group by o.episode_key
),

judged as (
    select
        o.*,
        a.restart_date,
        a.last_pertuzumab_date,
        a.last_trastuzumab_date,
        a.pertuzumab_before,
        a.post_doses,
        coalesce(a.trastuzumab_before, false) as trastuzumab_before,
        a.pertuzumab_not_counted or (a.trastuzumab_open and a.post_doses >= $min_post_doses) as doses_not_counted,
        coalesce(a.pertuzumab_stop, a.trastuzumab_stop, x.reason) as stop_reason,
        c.episode_key is not null as switched,
        coalesce(o.first_trial_date <= o.due_date, false) as in_trial,
        case when $population = 'all' then true else o.node_positive_at_diagnosis end as in_scope,
        a.post_doses >= $min_post_doses
        and date_diff('day', a.last_pertuzumab_date, a.last_trastuzumab_date) <= $end_gap_days as is_met,
        a.post_doses
        + floor(greatest(0, date_diff('day', o.observable_through, o.due_date)) / $three_weekly_days)
        + 1 >= $min_post_doses as still_possible
    from operated as o
    left join antibodies as a on o.episode_key = a.episode_key
    left join conjugates as c on o.episode_key = c.episode_key
    left join toxicities as x on o.episode_key = x.episode_key
)

select
    patient_key,
    tumour_id,
    site_id,
    episode_key,
    decision_date,
    due_date,
    case when still_possible then due_date else least(due_date, observable_through) end as open_until,
    last_surgery_date as clock_start,
    last_surgery_date as observed_from,
    first_surgery_date as drugs_from,
    due_date as drugs_through,
    case
        when outside_early_her2 is not null then outside_early_her2
        when pathway <> 'neoadjuvant' then 'not-neoadjuvant'
        when last_surgery_date is null and not surgery_unclear then 'no-surgery'
        when not trastuzumab_before then 'no-neoadjuvant-trastuzumab'
        when not pertuzumab_before then 'no-neoadjuvant-pertuzumab'
        when any_residual then 'residual-disease'
        when not in_scope then 'node-negative'
        when switched then 'switched-to-conjugate'
        when first_surgery_date is not null and restart_date is null and recurrence_date < due_date
            then 'recurrence-before-restart'
    end as excluded,
    case
        when last_surgery_date is null then 'surgery-unclear'
        when response = 'unknown' then 'response-unknown'
        when in_scope is null then 'stage-unknown'
        when node_positive_at_diagnosis is null and decision_date < $node_negative_from and not is_met
            then 'stage-unknown'
        when doses_not_counted and not is_met then 'no-end-date'
    end as missing_reason,
    case missing_reason
        when 'surgery-unclear' then unclear_columns
        when 'response-unknown' then response_lacking
        when 'stage-unknown' then ['tumours.clinical_n']
        when 'no-end-date' then ['treatments.end_date']
    end as missing,
    case
        when is_met and date_diff('day', last_surgery_date, restart_date) > $restart_due_days
            then 'dual-continued-late-restart'
        when is_met then 'dual-continued'
    end as met,
    case
        when in_trial then 'trial'
        when not node_positive_at_diagnosis and decision_date < $node_negative_from then 'funding-restriction'
        else stop_reason
    end as excepted,
    ['pertuzumab'] as lacking,
    case
        when post_doses = 0 then 'pertuzumab-not-recorded'
        when post_doses < $min_post_doses then 'too-few-pertuzumab-doses'
        else 'pertuzumab-stopped-early'
    end as failed,
    case when excluded is null then to_json(struct_pack(
        clinical_n := clinical_n,
        first_node_sample_date := first_node_sample_date,
        response := response,
        first_trastuzumab_date := first_trastuzumab_date,
        last_surgery_date := last_surgery_date,
        antibodies_again_from := restart_date,
        pertuzumab_dates_after_surgery := post_doses,
        last_pertuzumab_date := last_pertuzumab_date,
        last_trastuzumab_date := last_trastuzumab_date,
        recorded_stop_reason := stop_reason,
        her2_basis := her2_basis
    )) end as evidence
from judged
