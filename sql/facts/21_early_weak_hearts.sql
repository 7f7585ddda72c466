-- fct_early_weak_hearts: one row an episode with heart failure, a low LVEF or an abnormal heart without a number on
-- record: the first day of one, a reason not to begin a HER2-targeted drug. It only ever excuses.
create or replace table fct_early_weak_hearts as
with weak as (
    select
        patient_key,
        event_date as weak_date
    from stg_events
    where event = 'heart_failure'
    union all
    select
        patient_key,
        assessment_date as weak_date
    from stg_cardiac_assessments
    where lvef_percent < $lvef_low or (lvef_percent is null and result = 'abnormal')
)

select
    s.episode_key,
    min(w.weak_date) as first_weak_date
from weak as w
inner join episode_starts as s on w.patient_key = s.patient_key
where w.weak_date >= coalesce(s.diagnosis_date - $lvef_baseline_days, w.weak_date)
group by s.episode_key;
