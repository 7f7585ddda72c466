-- Definitive surgery follows neoadjuvant treatment in time.
-- denominator: neoadjuvant courses with a HER2-directed drug, HER2-positive, M0.
with courses as (
    select
        t.*,
        u.missing as unclear_columns,
        y.first_trial_date,
        t.first_surgery_date is null
        and (
            u.tumour_id is not null
            or d.any_adjuvant_intent
            or coalesce(t.pathological_t, t.pathological_n) is not null
            or t.pathological_t_unreadable
            or t.pathological_n_unreadable
        ) as surgery_unclear,
        coalesce(t.first_surgery_date, t.recurrence_date, date '9999-12-31') as before_date
    from fct_tumours as t
    left join fct_first_doses as d on t.episode_key = d.episode_key
    left join fct_first_trials as y on t.episode_key = y.episode_key
    left join fct_unclear_surgeries as u on t.patient_key = u.patient_key and t.tumour_id = u.tumour_id
    where t.is_index
),

her2_doses as (
    select
        c.episode_key,
        min(d.dose_date) as first_her2_date,
        max(d.dose_date) as last_her2_date,
        bool_or(d.open_course) as her2_open
    from courses as c
    inner join fct_doses as d on c.episode_key = d.episode_key
    inner join ingredients as i on d.ingredient = i.ingredient
    where c.pathway = 'neoadjuvant' and i.is_her2 and d.setting = 'curative' and d.dose_date < c.before_date
    group by c.episode_key
),

chemotherapy as (
    select
        c.episode_key,
        max(x.dose_date) as last_cytotoxic_date,
        bool_or(x.open_course)
        or count(distinct case when x.is_regimen then x.dose_date end) = 1
        -- The later parts of a regimen whose name alone is recorded may follow.
        or coalesce(max(case when x.in_sequence then x.dose_date end) = max(x.dose_date), false) as last_dose_unknown
    from courses as c
    inner join fct_cytotoxic_days as x on c.episode_key = x.episode_key
    where c.pathway = 'neoadjuvant' and x.dose_date < c.before_date
    group by c.episode_key
),

clocked as (
    select
        c.*,
        h.first_her2_date,
        h.last_her2_date,
        x.last_cytotoxic_date,
        coalesce(x.last_cytotoxic_date, h.last_her2_date) as last_dose_date,
        coalesce(x.last_dose_unknown, h.her2_open, false) as last_dose_unknown
    from courses as c
    left join her2_doses as h on c.episode_key = h.episode_key
    left join chemotherapy as x on c.episode_key = x.episode_key
),

judged as (
    select
        *,
        last_dose_date + $tolerance_days as outer_limit,
        date_diff('day', last_dose_date, first_surgery_date) as days_to_surgery,
        coalesce(first_trial_date < before_date, false) as in_trial
    from clocked
),

-- A complication of treatment that can put surgery off, on record from its first dose to the outer limit.
complications as (
    select
        j.episode_key,
        min(case e.event when 'heart_failure' then 'contraindication-cardiac' else 'toxicity' end) as reason
    from judged as j
    inner join stg_events as e on j.patient_key = e.patient_key
    where
        e.event in ('heart_failure', 'ild')
        and e.event_date between j.first_her2_date and j.outer_limit
        and e.event_date < j.before_date
    group by j.episode_key
),

-- Operated on in time, but recorded for another tumour of the same breast, or for one that may be HER2-positive too.
-- Its own operation in time is among them and leaves nothing open.
operated_beside as (
    select distinct j.episode_key
    from judged as j
    inner join fct_tumours as o on j.episode_key = o.episode_key
    where
        o.first_surgery_date > j.first_her2_date
        and o.first_surgery_date <= j.outer_limit
        and (
            coalesce(o.laterality = j.laterality or 'bilateral' in (o.laterality, j.laterality), true)
            or (o.invasive and o.her2_status not in ('positive', 'negative'))
        )
),

weighed as (
    select
        j.* exclude (surgery_unclear),
        c.reason as complication,
        j.surgery_unclear
        or (b.episode_key is not null and coalesce(j.days_to_surgery > $tolerance_days, true)) as surgery_unclear,
        b.episode_key is not null as operated_beside
    from judged as j
    left join complications as c on j.episode_key = c.episode_key
    left join operated_beside as b on j.episode_key = b.episode_key
)

select
    'neoadjuvant' as subject_part,
    patient_key,
    tumour_id,
    site_id,
    episode_key,
    last_dose_date as decision_date,
    outer_limit as due_date,
    first_her2_date as clock_start,
    coalesce(diagnosis_date, date '0001-01-01') as observed_from,
    last_dose_date as drugs_from,
    coalesce(first_surgery_date, date '9999-12-31') as drugs_through,
    case
        when outside_early_her2 is not null then outside_early_her2
        when pathway <> 'neoadjuvant' then 'not-neoadjuvant'
        when first_her2_date is null then 'no-neoadjuvant-her2'
        when first_surgery_date is null and metastatic_date <= outer_limit then 'metastasis-before-surgery'
    end as excluded,
    case
        when surgery_unclear then 'surgery-unclear'
        when last_dose_unknown and coalesce(days_to_surgery > $tolerance_days, true) then 'no-end-date'
    end as missing_reason,
    case
        when missing_reason = 'no-end-date' then ['treatments.end_date']
        when unclear_columns is not null then unclear_columns
        when operated_beside then ['surgeries.tumour_id']
        else ['surgeries.surgery_date']
    end as missing,
    case
        when days_to_surgery <= $due_days then 'on-time'
        when days_to_surgery <= $tolerance_days then 'late'
    end as met,
    case when in_trial then 'trial' else complication end as excepted,
    ['surgery'] as lacking,
    case when first_surgery_date is null then 'surgery-not-recorded' else 'surgery-too-late' end as failed,
    case
        when days_to_surgery <= $due_days then $due_days - days_to_surgery
        else $tolerance_days - days_to_surgery
    end as margin_days,
    case when excluded is null then to_json(struct_pack(
        first_her2_date := first_her2_date,
        last_cytotoxic_date := last_cytotoxic_date,
        last_her2_date_before_surgery := last_her2_date,
        on_time_through := last_dose_date + $due_days,
        first_surgery_date := first_surgery_date,
        her2_basis := her2_basis
    )) end as evidence
from weighed
