-- HER2-positive early cancer above 10 mm or node-positive is treated with a HER2 antibody and chemotherapy.
-- denominator: index tumours, HER2-positive, invasive, M0, larger than T1b or node-positive, with curative intent.
with population as (
    select
        t.*,
        p.transfer_in_date,
        p.sex,
        d.first_antibody_date,
        -- The conjugates carry a cytotoxic drug: in rules on whether HER2 treatment was given they count as one.
        least(d.first_cytotoxic_date, d.first_conjugate_date) as first_chemotherapy_date,
        y.first_trial_date,
        case
            when t.over_10_mm or t.node_positive or t.inflammatory then true
            when not t.over_10_mm and not t.node_positive then false
        end as in_scope,
        least(t.first_surgery_date, t.first_systemic_date) as first_treatment_date
    from fct_tumours as t
    inner join stg_patients as p on t.patient_key = p.patient_key
    left join fct_first_doses as d on t.episode_key = d.episode_key
    left join fct_first_trials as y on t.episode_key = y.episode_key
    where t.is_index
),

pregnancies as (
    select distinct
        n.patient_key,
        n.tumour_id
    from population as n
    inner join stg_events as e on n.patient_key = e.patient_key
    where
        e.event = 'pregnancy'
        and e.event_date between n.diagnosis_date - $pregnancy_before_days and n.diagnosis_date + $pregnancy_after_days
),

judged as (
    select
        n.*,
        g.patient_key is not null as pregnant,
        w.first_weak_date,
        coalesce(date_diff('day', n.diagnosis_date, n.first_antibody_date) <= $her2_due_days, false) as antibody_met,
        coalesce(date_diff('day', n.diagnosis_date, n.first_chemotherapy_date) <= $chemo_due_days, false)
            as chemotherapy_met
    from population as n
    left join pregnancies as g on n.patient_key = g.patient_key and n.tumour_id = g.tumour_id
    left join fct_early_weak_hearts as w on n.episode_key = w.episode_key
),

clocked as (
    select
        *,
        diagnosis_date
        + case when chemotherapy_met then $her2_due_days else $chemo_due_days end as settled_date,
        -- Treatment begun after the window, of a relapse years later as a rule, does not tell when this was decided.
        case
            when first_treatment_date > diagnosis_date + $her2_due_days then diagnosis_date
            else coalesce(first_treatment_date, diagnosis_date)
        end as decided_date
    from judged
)

select
    patient_key,
    tumour_id,
    site_id,
    episode_key,
    decided_date as decision_date,
    settled_date as due_date,
    diagnosis_date as clock_start,
    diagnosis_date as observed_from,
    date '0001-01-01' as drugs_from,
    settled_date as drugs_through,
    case
        when not invasive then 'in-situ'
        when m_status = 'm1' then 'metastatic'
        when her2_status = 'negative' then 'her2-negative'
        when not in_scope then 'small-tumour'
        when age_at_most < $adult_years then 'under-18'
        when $people = 'women-18-to-70' and (sex <> 'female' or age_at_least > $oldest_years)
            then 'outside-published-measure'
        when pregnant then 'pregnancy-at-diagnosis'
        when all_palliative then 'palliative-intent'
        when transfer_in_date > first_systemic_date then 'transferred-in-treated'
    end as excluded,
    case
        when diagnosis_date is null then 'diagnosis-date-missing'
        when her2_status <> 'positive' then 'her2-unknown'
        when m_status = 'unknown' then 'm-unknown'
        when in_scope is null then 'stage-unknown'
        when age_at_least < $adult_years then 'imprecise-date'
        when $people = 'women-18-to-70' and age_at_most > $oldest_years then 'imprecise-date'
        -- An operation that is not linked may have been decided on before the rule was in force.
        when
            not $surgeries_linked
            and not (antibody_met and chemotherapy_met)
            and diagnosis_date < $era_adjuvant
            then 'stream-not-linked'
    end as missing_reason,
    case
        when missing_reason = 'diagnosis-date-missing' then ['tumours.diagnosis_date']
        when missing_reason = 'her2-unknown' then ['receptor_tests.her2_ihc', 'receptor_tests.her2_ish']
        when missing_reason = 'm-unknown' then ['tumours.clinical_m']
        when missing_reason = 'imprecise-date' then ['patients.birth_date']
        when missing_reason = 'stream-not-linked' then ['surgeries']
        when over_10_mm is null and node_positive is null then ['tumours.clinical_t', 'tumours.clinical_n']
        when over_10_mm is null then ['tumours.clinical_t']
        else ['tumours.clinical_n']
    end as missing,
    case when antibody_met and chemotherapy_met then 'both-in-time' end as met,
    case
        when first_trial_date <= settled_date then 'trial'
        when not antibody_met and first_weak_date <= settled_date then 'contraindication-cardiac'
    end as excepted,
    case
        when antibody_met then ['chemotherapy']
        when chemotherapy_met then ['antibody']
        else ['antibody', 'chemotherapy']
    end as lacking,
    case
        when not antibody_met and not chemotherapy_met then 'neither-recorded-in-time'
        when not antibody_met then 'antibody-not-recorded-in-time'
        else 'chemotherapy-not-recorded-in-time'
    end as failed,
    case
        when chemotherapy_met then $her2_due_days - date_diff('day', diagnosis_date, first_antibody_date)
        else $chemo_due_days - date_diff('day', diagnosis_date, first_chemotherapy_date)
    end as margin_days,
    case when excluded is null then to_json(struct_pack(
        diagnosis_date := diagnosis_date,
        t := t,
        n := n,
        her2_basis := her2_basis,
        her2_positive_date := her2_positive_date,
        first_surgery_date := first_surgery_date,
        first_antibody_date := first_antibody_date,
        first_chemotherapy_date := first_chemotherapy_date
    )) end as evidence
from clocked
