-- fct_courses: one row a course of one HER2 drug: doses in one setting without a gap longer than the limit.
-- covered_days: trastuzumab days covered (an overlap counts once); null for the other drugs, whose schedules differ.
create or replace table fct_courses as
with given as (
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
        patient_key,
        episode_key,
        setting,
        ingredient,
        dose_date,
        cast(null as integer) as covers
    from fct_doses
    where is_her2 and not (setting = 'curative' and (is_trastuzumab or is_pertuzumab))
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
    max(case when gap_days <= $course_gap_days then gap_days end) as longest_gap_days,
    sum(covers) as covered_days
from numbered
group by
    patient_key,
    episode_key,
    setting,
    ingredient,
    course_number;
