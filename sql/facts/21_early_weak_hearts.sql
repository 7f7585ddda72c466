-- fct_early_weak_hearts: one row an episode and a day on which the record shows heart failure, an LVEF that is low or
-- an abnormal heart without a number: a reason not to begin a HER2-targeted drug. It only ever excuses.
create or replace table fct_early_weak_hearts as
with weak as (
    select
        patient_key,
        event_date as weak_date
    from stg_events
    where event = 'heart_failure'
    union
    select
        patient_key,
        assessment_date as weak_date
    from stg_cardiac_assessments
    where lvef_percent < $lvef_low or (lvef_percent is null and result = 'abnormal')
),

starts as (
    select
        patient_key,
        episode_key,
        min(diagnosis_date) as diagnosis_date
    from fct_episodes
    group by
        patient_key,
        episode_key
)

select
    s.episode_key,
    w.weak_date
from starts as s
inner join weak as w on s.patient_key = w.patient_key
where w.weak_date >= coalesce(s.diagnosis_date - $lvef_baseline_days, w.weak_date);
