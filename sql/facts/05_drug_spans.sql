-- fct_drug_spans: one row an ingredient in one setting of an episode: its first and last day.
create or replace table fct_drug_spans as
select
    patient_key,
    episode_key,
    setting,
    ingredient,
    bool_or(is_trastuzumab) as is_trastuzumab,
    bool_or(is_her2_antibody) as is_her2_antibody,
    bool_or(is_her2_conjugate) as is_her2_conjugate,
    bool_or(is_her2) as is_her2,
    bool_or(is_taxane) as is_taxane,
    bool_or(is_cytotoxic) as is_cytotoxic,
    min(dose_date) as first_dose_date,
    max(dose_date) as last_dose_date,
    min(dose_date) filter (where in_trial) as first_trial_date,
    bool_and(coalesce(intent = 'palliative', false)) as all_palliative,
    bool_or(coalesce(intent = 'adjuvant', false)) as any_adjuvant_intent,
    bool_or(coalesce(intent = 'neoadjuvant', false)) as any_neoadjuvant_intent
from fct_doses
group by
    patient_key,
    episode_key,
    setting,
    ingredient;

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
    min(first_trial_date) filter (where setting = 'curative') as first_trial_date,
    bool_and(all_palliative) as all_palliative,
    bool_or(any_adjuvant_intent) as any_adjuvant_intent,
    bool_or(any_neoadjuvant_intent) as any_neoadjuvant_intent
from fct_drug_spans
group by
    patient_key,
    episode_key;
