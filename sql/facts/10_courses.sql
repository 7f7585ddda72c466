-- fct_courses: one row a course of one HER2 drug: doses in one setting without a gap longer than the limit.
-- covered_days: trastuzumab days covered (an overlap counts once); null for the other drugs, whose schedules differ.
create or replace table fct_courses as
with given as (
    select distinct
        patient_key,
        episode_key,
        setting,
        ingredient,
        dose_date
    from fct_doses
    where is_her2
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
        *,
        1 + sum(case when gap_days > $course_gap_days then 1 else 0 end) over (
            partition by episode_key, setting, ingredient
            order by dose_date
            rows between unbounded preceding and current row
        ) as course_number
    from spaced
),

courses as (
    select
        patient_key,
        episode_key,
        setting,
        ingredient,
        course_number,
        min(dose_date) as first_dose_date,
        max(dose_date) as last_dose_date,
        count(*) as dose_dates,
        max(case when gap_days <= $course_gap_days then gap_days end) as longest_gap_days
    from numbered
    group by
        patient_key,
        episode_key,
        setting,
        ingredient,
        course_number
),

covered as (
    select
        c.episode_key,
        c.course_number,
        sum(a.covers) as covered_days
    from courses as c
    inner join fct_antibody_days as a
        on
            c.episode_key = a.episode_key
            and a.dose_date between c.first_dose_date and c.last_dose_date
    where c.ingredient = 'trastuzumab' and c.setting = 'curative'
    group by
        c.episode_key,
        c.course_number
)

select
    c.patient_key,
    c.episode_key,
    c.setting,
    c.ingredient,
    cast(c.course_number as integer) as course_number,
    c.first_dose_date,
    c.last_dose_date,
    c.dose_dates,
    c.longest_gap_days,
    v.covered_days
from courses as c
left join covered as v
    on
        c.episode_key = v.episode_key
        and c.course_number = v.course_number
        and c.ingredient = 'trastuzumab'
        and c.setting = 'curative';
