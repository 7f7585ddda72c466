-- fct_cardiac_holds: one row a day on which the record gives a cardiac reason to pause, while antibody or conjugate
-- treatment ran: heart failure; a number that meets a limit to hold, by whatever method; one that is low; an abnormal
-- heart without a number. It only ever excuses. by_label: false for a number that is low and meets no limit.
-- last_dose_date: the last dose up to the days in which the result may not have been known; resumed_date: the first
-- one after them, null where none follows in that setting.
create or replace table fct_cardiac_holds as
with heart_failures as (
    select
        e.patient_key,
        s.episode_key,
        s.setting,
        e.event_date as from_date,
        true as by_label
    from stg_events as e
    inner join fct_her2_settings as s on e.patient_key = s.patient_key
    inner join fct_her2_days as h
        on
            s.episode_key = h.episode_key
            and s.setting = h.setting
            and h.dose_date between e.event_date - $course_gap_days and e.event_date
    where e.event = 'heart_failure'
),

weak as (
    select
        e.patient_key,
        e.episode_key,
        e.setting,
        e.assessment_date as from_date,
        true as by_label
    from lvef_marks as e
    where e.text = 'label' and e.asks and e.exposed
    union all
    select
        n.patient_key,
        n.episode_key,
        n.setting,
        n.assessment_date as from_date,
        n.compared = 'none' as by_label
    from lvef_numbers as n
    where n.lvef_percent < $lvef_low and n.last_dose_date is not null
    union all
    select
        x.patient_key,
        x.episode_key,
        x.setting,
        x.assessment_date as from_date,
        true as by_label
    from exposed_days as x
    inner join lvef_days as l on x.patient_key = l.patient_key and x.assessment_date = l.assessment_date
    where l.lvef_percent is null and l.is_abnormal and x.last_dose_date is not null
    union all
    select
        patient_key,
        episode_key,
        setting,
        from_date,
        by_label
    from heart_failures
),

days as (
    select
        patient_key,
        episode_key,
        setting,
        from_date,
        bool_or(by_label) as by_label
    from weak
    group by
        patient_key,
        episode_key,
        setting,
        from_date
)

select
    d.patient_key,
    d.episode_key,
    d.setting,
    d.from_date,
    d.by_label,
    max(case when h.dose_date <= d.from_date + $lvef_action_days then h.dose_date end) as last_dose_date,
    min(case when h.dose_date > d.from_date + $lvef_action_days then h.dose_date end) as resumed_date
from days as d
inner join fct_her2_days as h on d.episode_key = h.episode_key and d.setting = h.setting
group by
    d.patient_key,
    d.episode_key,
    d.setting,
    d.from_date,
    d.by_label;

-- fct_toxicity_stops: one row an episode and a dated toxicity for which a drug was stopped, with the exception code it
-- is: recorded as such, or a cardiac reason to pause in curative setting.
-- last_dose_through: the latest last dose of a drug that it explains: a drug given on after a pause was not stopped for
-- it. After anaphylaxis or interstitial lung disease nobody has to write that what was not given again was stopped.
create or replace table fct_toxicity_stops as
with episodes as (
    select distinct
        patient_key,
        episode_key
    from fct_episodes
)

select
    p.episode_key,
    e.event_date,
    case when e.action like '%stopped%' then date '9999-12-31' else e.event_date end as last_dose_through,
    case e.event when 'heart_failure' then 'contraindication-cardiac' else 'toxicity' end as reason
from stg_events as e
inner join episodes as p on e.patient_key = p.patient_key
where
    e.event in ('ild', 'anaphylaxis')
    or (e.event in ('heart_failure', 'infusion_reaction') and e.action like '%stopped%')
union all
select
    episode_key,
    from_date as event_date,
    cast(from_date + $lvef_action_days as date) as last_dose_through,
    'contraindication-cardiac' as reason
from fct_cardiac_holds
where setting = 'curative' and by_label;
