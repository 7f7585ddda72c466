-- fct_courses: one row a course of one HER2 drug: doses in one setting without a gap longer than the limit.
-- A view over the definitions: no rule reads it, so only who asks pays for it.
-- covered_days: trastuzumab days covered (an overlap counts once); null for the other drugs, whose schedules differ.
create or replace view fct_courses as
with limits as (
    select max(value) as course_gap_days
    from definitions
    where name = 'course_gap_days'
),

given as (
    select
        patient_key,
        episode_key,
        'curative' as setting,
        'trastuzumab' as ingredient,
        dose_date,
        covers
    from fct_antibody_days
    where has_trastuzumab
    union all
    select
        patient_key,
        episode_key,
        'curative' as setting,
        'pertuzumab' as ingredient,
        dose_date,
        null as covers
    from fct_antibody_days
    where has_pertuzumab
    union all
    select distinct
        d.patient_key,
        d.episode_key,
        d.setting,
        d.ingredient,
        d.dose_date,
        cast(null as integer) as covers
    from fct_doses as d
    inner join ingredients as i on d.ingredient = i.ingredient
    where i.is_her2 and not (d.setting = 'curative' and d.ingredient in ('trastuzumab', 'pertuzumab'))
),

spaced as (
    select
        *,
        date_diff(
            'day',
            lag(dose_date) over (partition by episode_key, setting, ingredient order by dose_date),
            dose_date
        ) as gap_days
    from given
),

numbered as (
    select
        spaced.*,
        limits.course_gap_days,
        1 + sum(case when spaced.gap_days > limits.course_gap_days then 1 else 0 end) over (
            partition by episode_key, setting, ingredient
            order by dose_date
            rows between unbounded preceding and current row
        ) as course_number
    from spaced
    cross join limits
)

select
    patient_key,
    episode_key,
    setting,
    ingredient,
    cast(course_number as integer) as course_number,
    min(dose_date) as first_dose_date,
    max(dose_date) as last_dose_date,
    count(*) as dose_dates,
    max(case when gap_days <= course_gap_days then gap_days end) as longest_gap_days,
    sum(covers) as covered_days
from numbered
group by
    patient_key,
    episode_key,
    setting,
    ingredient,
    course_number;
