-- fct_drug_spans: one row an ingredient in one setting of an episode: its first and last day, and its families.
-- first_known_date: by which it had surely begun: its first day that is not in_sequence, or null.
create or replace table fct_drug_spans as
with spans as (
    select
        patient_key,
        episode_key,
        setting,
        ingredient,
        min(dose_date) as first_dose_date,
        min(case when not in_sequence then dose_date end) as first_known_date,
        max(dose_date) as last_dose_date,
        min(case when in_trial then dose_date end) as first_trial_date,
        min(case when stop_reason = 'progression' then dose_date end) as first_progression_stop_date,
        bool_and(coalesce(intent = 'palliative', false)) as all_palliative,
        bool_or(coalesce(intent = 'adjuvant', false)) as any_adjuvant_intent,
        bool_or(coalesce(intent = 'neoadjuvant', false)) as any_neoadjuvant_intent
    from fct_doses
    group by
        patient_key,
        episode_key,
        setting,
        ingredient
)

select
    s.patient_key,
    s.episode_key,
    s.setting,
    s.ingredient,
    i.is_trastuzumab,
    i.is_her2_antibody,
    i.is_her2_conjugate,
    i.is_her2 and not i.outside_guideline as is_her2,
    i.is_taxane,
    i.is_cytotoxic,
    s.first_dose_date,
    s.first_known_date,
    s.last_dose_date,
    s.first_trial_date,
    s.first_progression_stop_date,
    s.all_palliative,
    s.any_adjuvant_intent,
    s.any_neoadjuvant_intent
from spans as s
inner join ingredients as i on s.ingredient = i.ingredient;

-- fct_first_doses: one row an episode, with the first day of each family that a rule asks for.
-- systemic: HER2-directed, cytotoxic or endocrine. All but the first column count curative-setting doses alone.
create or replace table fct_first_doses as
select
    patient_key,
    episode_key,
    min(first_dose_date) as first_systemic_date,
    min(first_dose_date) filter (where setting = 'curative') as first_curative_date,
    max(last_dose_date) filter (where setting = 'curative') as last_curative_date,
    min(first_dose_date) filter (where setting = 'curative' and is_her2_antibody) as first_antibody_date,
    min(first_dose_date) filter (where setting = 'curative' and is_trastuzumab) as first_trastuzumab_date,
    min(first_dose_date) filter (where setting = 'curative' and is_taxane) as first_taxane_date,
    min(first_dose_date) filter (where setting = 'curative' and is_cytotoxic) as first_cytotoxic_date,
    min(first_dose_date) filter (where setting = 'curative' and is_her2_conjugate) as first_conjugate_date,
    bool_and(all_palliative) as all_palliative,
    bool_or(any_adjuvant_intent) as any_adjuvant_intent,
    bool_or(any_neoadjuvant_intent) as any_neoadjuvant_intent
from fct_drug_spans
group by
    patient_key,
    episode_key;
