-- fct_trials: one row a dated treatment row given in a trial, in curative setting: its first and last day.
-- Whatever the drug, known or not: a patient whose ovarian suppression is given in a trial takes part in one.
create or replace table fct_trials as
select
    patient_key,
    episode_key,
    start_date as from_date,
    coalesce(end_date, start_date) as through_date
from placed_treatments
where
    in_trial
    and coalesce(intent <> 'palliative', true)
    and start_date < coalesce(metastatic_date, date '9999-12-31');

-- fct_first_trials: one row an episode with a treatment row given in a trial: the day of the first one.
create or replace table fct_first_trials as
select
    episode_key,
    min(from_date) as first_trial_date
from fct_trials
group by episode_key;
