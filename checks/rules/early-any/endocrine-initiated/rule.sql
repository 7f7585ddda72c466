-- Hormone-receptor-positive early disease starts endocrine therapy within the window from diagnosis.
-- denominator: index tumours, HER2-positive, M0, ER- or PR-positive, above 10 mm or node-positive, first primary.
with population as (
    select
        t.*,
        h.er_positive,
        h.pr_positive,
        h.er_percent,
        h.pr_percent,
        h.hr_status,
        y.first_trial_date,
        case
            when t.over_10_mm or t.node_positive or t.inflammatory then true
            when not t.over_10_mm and not t.node_positive then false
        end as in_scope,
        t.diagnosis_date
        + case when t.pathway = 'neoadjuvant' then $due_days + $neoadjuvant_days else $due_days end as due_date
    from fct_tumours as t
    inner join fct_hormone_receptors as h on t.patient_key = h.patient_key and t.tumour_id = h.tumour_id
    left join fct_first_trials as y on t.episode_key = y.episode_key
    where t.is_index
),

later_primaries as (
    select distinct
        f.patient_key,
        f.episode_key
    from fct_episodes as f
    inner join fct_episodes as o on f.patient_key = o.patient_key
    where f.episode_key <> o.episode_key and o.diagnosis_date < f.diagnosis_date
),

endocrine as (
    select
        p.episode_key,
        min(e.start_date) filter (where e.through_date >= p.diagnosis_date) as first_endocrine_date,
        min_by(e.ingredient, e.start_date) filter (where e.through_date >= p.diagnosis_date) as first_endocrine_drug
    from population as p
    inner join fct_endocrine as e on p.episode_key = e.episode_key
    group by p.episode_key
),

recorded as (
    select distinct p.episode_key
    from population as p
    inner join fct_endocrine as e on p.episode_key = e.episode_key
    where not e.on_recurrence
),

-- Chemotherapy resumed after a pause counts too: a start is marked as late after the last of it.
chemotherapy as (
    select
        p.episode_key,
        max(c.dose_date) as last_chemotherapy_date
    from population as p
    inner join fct_cytotoxic_days as c on p.episode_key = c.episode_key
    left join endocrine as e on p.episode_key = e.episode_key
    where c.setting = 'curative' and c.dose_date <= coalesce(e.first_endocrine_date, p.due_date)
    group by p.episode_key
),

-- Systemic treatment without its day: it makes endocrine rows expected all the same.
undated as (
    select distinct patient_key
    from fct_undated_doses
),

recommendations as (
    select distinct
        p.patient_key,
        p.episode_key
    from population as p
    inner join stg_exceptions as x on p.patient_key = x.patient_key
    left join fct_episodes as o on x.patient_key = o.patient_key and x.tumour_id = o.tumour_id
    left join ingredients as i on x.topic_name = i.ingredient
    where
        x.reason = 'patient-refusal'
        and (x.tumour_id is null or o.episode_key = p.episode_key)
        and (x.topic_name in ('endocrine-initiated', 'endocrine') or i.is_endocrine)
),

judged as (
    select
        p.*,
        e.first_endocrine_date,
        e.first_endocrine_drug,
        c.last_chemotherapy_date,
        l.episode_key is not null as later_primary,
        s.episode_key is not null as endocrine_seen,
        p.first_systemic_date is not null or u.patient_key is not null as systemic_recorded,
        r.episode_key is not null and $numerator = 'recommended-or-given' as recommended,
        coalesce(e.first_endocrine_date <= p.due_date, false) as started_in_time
    from population as p
    left join later_primaries as l on p.episode_key = l.episode_key
    left join endocrine as e on p.episode_key = e.episode_key
    left join recorded as s on p.episode_key = s.episode_key
    left join chemotherapy as c on p.episode_key = c.episode_key
    left join undated as u on p.patient_key = u.patient_key
    left join recommendations as r on p.episode_key = r.episode_key
)

select
    patient_key,
    tumour_id,
    site_id,
    episode_key,
    -- Treatment begun after the window, of a relapse years later as a rule, does not tell when this one was decided.
    case
        when least(first_surgery_date, first_systemic_date) > due_date then diagnosis_date
        else coalesce(least(first_surgery_date, first_systemic_date), diagnosis_date)
    end as decision_date,
    due_date,
    diagnosis_date as clock_start,
    diagnosis_date as observed_from,
    due_date as drugs_through,
    case
        when outside_early_her2 is not null then outside_early_her2
        when hr_status = 'negative' then 'hr-negative'
        when not in_scope then 'small-tumour'
        when later_primary then 'not-first-primary'
    end as excluded,
    case
        when diagnosis_date is null then 'diagnosis-date-missing'
        when hr_status = 'unknown' then 'hr-unknown'
        when in_scope is null then 'stage-unknown'
    end as missing_reason,
    case missing_reason
        when 'diagnosis-date-missing' then ['tumours.diagnosis_date']
        when 'hr-unknown' then ['tumours.er_status', 'tumours.pr_status']
        when 'stage-unknown'
            then
                case
                    when over_10_mm is null and node_positive is null then ['tumours.clinical_t', 'tumours.clinical_n']
                    when over_10_mm is null then ['tumours.clinical_t']
                    else ['tumours.clinical_n']
                end
    end as missing,
    case
        when
            started_in_time
            and date_diff('day', last_chemotherapy_date, first_endocrine_date) > $after_chemo_days
            then 'long-after-chemotherapy'
        when started_in_time then 'initiated'
        when recommended then 'recommended'
    end as met,
    case when first_trial_date <= due_date then 'trial' end as excepted,
    ['endocrine'] as lacking,
    'not-recorded-in-time' as failed,
    date_diff('day', first_endocrine_date, due_date) as margin_days,
    excluded is null and hr_status = 'positive' and systemic_recorded as gate_expected,
    endocrine_seen as gate_seen,
    case when excluded is null then to_json(struct_pack(
        diagnosis_date := diagnosis_date,
        er_positive := er_positive,
        er_percent := er_percent,
        pr_positive := pr_positive,
        pr_percent := pr_percent,
        t := t,
        n := n,
        first_surgery_date := first_surgery_date,
        last_chemotherapy_date := last_chemotherapy_date,
        first_endocrine_date := first_endocrine_date,
        first_endocrine_drug := first_endocrine_drug,
        her2_basis := her2_basis
    )) end as evidence
from judged
