-- Residual invasive disease after neoadjuvant HER2 treatment is switched to T-DM1.
-- denominator: tumours, HER2-positive, M0, residual disease at surgery after neoadjuvant trastuzumab and a taxane.
with operated as (
    select
        t.*,
        d.first_trastuzumab_date,
        d.first_taxane_date,
        u.tumour_id is not null as surgery_unclear,
        u.missing as unclear_columns,
        coalesce(t.first_surgery_date, u.latest_date, date '9999-12-31') as before_date,
        coalesce(t.last_surgery_date, u.latest_date) as decision_date
    from fct_tumours as t
    left join fct_first_doses as d on t.episode_key = d.episode_key
    left join fct_unclear_surgeries as u on t.patient_key = u.patient_key and t.tumour_id = u.tumour_id
),

after_surgery as (
    select
        o.patient_key,
        o.tumour_id,
        min(d.dose_date) filter (
            where d.ingredient = 'trastuzumab-emtansine'
            or (d.ingredient = 'trastuzumab-deruxtecan' and d.dose_date >= $deruxtecan_accepted_from)
        ) as conjugate_date,
        min(d.dose_date) filter (where d.ingredient = 'trastuzumab') as trastuzumab_date,
        min(d.dose_date) filter (where i.is_her2) as first_her2_date
    from operated as o
    inner join fct_doses as d on o.episode_key = d.episode_key
    inner join ingredients as i on d.ingredient = i.ingredient
    where
        o.pathway = 'neoadjuvant'
        and d.dose_date > o.first_surgery_date
        and d.dose_date < coalesce(o.recurrence_date, date '9999-12-31')
    group by
        o.patient_key,
        o.tumour_id
),

trials as (
    select distinct
        o.patient_key,
        o.tumour_id
    from operated as o
    inner join fct_trials as y on o.episode_key = y.episode_key
    where y.through_date > o.first_surgery_date and y.from_date <= o.last_surgery_date + $late_days
),

last_doses as (
    select
        episode_key,
        max(last_dose_date) as last_her2_date
    from fct_drug_spans
    where is_her2 and setting = 'curative'
    group by episode_key
),

-- Interstitial lung disease, and anaphylaxis after which no HER2-directed drug was given again, forbid T-DM1.
harms as (
    select distinct
        o.patient_key,
        o.tumour_id
    from operated as o
    inner join last_doses as l on o.episode_key = l.episode_key
    inner join stg_events as e on o.patient_key = e.patient_key
    where
        (e.event = 'ild' or (e.event = 'anaphylaxis' and l.last_her2_date <= e.event_date))
        and e.event_date between o.first_trastuzumab_date and o.last_surgery_date + $late_days
),

judged as (
    select
        o.*,
        a.conjugate_date,
        a.first_her2_date,
        a.trastuzumab_date,
        date_diff('day', o.last_surgery_date, a.conjugate_date) as days_to_conjugate,
        coalesce(date_diff('day', o.last_surgery_date, a.trastuzumab_date) <= $fallback_days, false) as fallback_met,
        y.patient_key is not null as in_trial,
        w.first_weak_date <= o.last_surgery_date + $late_days as weak_heart,
        h.patient_key is not null as harmed,
        not $conjugates_told_apart
        and coalesce(a.trastuzumab_date <= o.last_surgery_date + $late_days, false) as drug_ambiguous
    from operated as o
    left join after_surgery as a on o.patient_key = a.patient_key and o.tumour_id = a.tumour_id
    left join trials as y on o.patient_key = y.patient_key and o.tumour_id = y.tumour_id
    left join fct_early_weak_hearts as w on o.episode_key = w.episode_key
    left join harms as h on o.patient_key = h.patient_key and o.tumour_id = h.tumour_id
)

select
    patient_key,
    tumour_id,
    site_id,
    episode_key,
    decision_date,
    last_surgery_date + $late_days as due_date,
    last_surgery_date as clock_start,
    last_surgery_date as observed_from,
    last_surgery_date + $late_days as drugs_through,
    case
        when outside_early_her2 is not null then outside_early_her2
        when pathway <> 'neoadjuvant' then 'not-neoadjuvant'
        when last_surgery_date is null and not surgery_unclear then 'no-surgery'
        when coalesce(first_trastuzumab_date >= before_date, true) then 'no-neoadjuvant-her2'
        when coalesce(first_taxane_date >= before_date, true) then 'no-neoadjuvant-taxane'
        when response = 'pcr' then 'pcr'
    end as excluded,
    case
        when last_surgery_date is null then 'surgery-unclear'
        when response = 'unknown' then 'response-unknown'
        when drug_ambiguous then 'conjugate-not-told-apart'
    end as missing_reason,
    case
        when last_surgery_date is null then unclear_columns
        when response = 'unknown' then response_lacking
        else ['treatments.drug']
    end as missing,
    case
        when days_to_conjugate <= $due_days then 'on-time'
        when days_to_conjugate <= $late_days then 'late'
    end as met,
    case
        when in_trial then 'trial'
        when weak_heart then 'contraindication-cardiac'
        when harmed then 'toxicity'
    end as excepted,
    case
        when fallback_met then 'drug-unavailable-fallback-met'
        else 'drug-unavailable'
    end as unavailable,
    ['trastuzumab-emtansine'] as lacking,
    case when conjugate_date is null then 'conjugate-not-recorded' else 'conjugate-too-late' end as failed,
    case
        when days_to_conjugate <= $due_days then $due_days - days_to_conjugate
        else $late_days - days_to_conjugate
    end as margin_days,
    case when excluded is null then to_json(struct_pack(
        last_surgery_date := last_surgery_date,
        response := response,
        isolated_tumour_cells_only := isolated_cells_only,
        on_time_through := last_surgery_date + $due_days,
        first_conjugate_date := conjugate_date,
        first_her2_date_after_surgery := first_her2_date,
        first_trastuzumab_date_after_surgery := trastuzumab_date,
        her2_basis := her2_basis
    )) end as evidence
from judged
