-- cardiac_drugs: the drugs that the heart is watched for: HER2 antibodies, T-DM1 and T-DXd.
create or replace temp table cardiac_drugs as
select ingredient
from ingredients
where is_her2_antibody or (is_her2_conjugate and not outside_guideline);

-- fct_her2_days: one row a day of an episode and setting on which one of them was given.
-- course_number: a gap longer than the limit begins a new one. derived: unfolded from a course's dates, all of it.
-- with_pertuzumab: it is one of them. is_regimen: a regimen's name. in_sequence, pertuzumab_in_sequence: nothing but
-- the name of a regimen that does not begin with them puts them, or pertuzumab, on that day.
-- open_course: a course without an end began on this day.
create or replace temp table her2_days as
with days as (
    select
        d.patient_key,
        d.episode_key,
        d.setting,
        d.dose_date,
        bool_and(d.derived) as derived,
        bool_or(d.ingredient = 'pertuzumab') as with_pertuzumab,
        bool_or(d.is_regimen) as is_regimen,
        bool_and(d.in_sequence) as in_sequence,
        bool_and(d.in_sequence) filter (where d.ingredient = 'pertuzumab') as pertuzumab_in_sequence,
        bool_or(d.open_course) as open_course,
        bool_or(d.in_trial) as in_trial
    from fct_doses as d
    inner join cardiac_drugs as c on d.ingredient = c.ingredient
    group by
        d.patient_key,
        d.episode_key,
        d.setting,
        d.dose_date
)

select
    *,
    date_diff(
        'day', lag(dose_date) over (partition by episode_key, setting order by dose_date), dose_date
    ) as gap_days
from days;

-- her2_courses: the courses of these days, each from its first day to the day before the next one begins. They are few,
-- and counted apart from the days.
create or replace temp table her2_courses as
select
    episode_key,
    setting,
    dose_date as from_date,
    coalesce(lead(dose_date) over courses - 1, date '9999-12-31') as through_date,
    row_number() over courses as course_number
from her2_days
where coalesce(gap_days > $course_gap_days, true)
window courses as (partition by episode_key, setting order by dose_date);

create or replace table fct_her2_days as
select
    d.* exclude (gap_days),
    c.course_number
from her2_days as d
inner join her2_courses as c
    on
        d.episode_key = c.episode_key
        and d.setting = c.setting
        and d.dose_date between c.from_date and c.through_date;

-- fct_her2_settings: one row an episode and setting with such a dose.
-- named_last: a regimen's name stands once, on the last day: more may have been given.
-- first_pertuzumab_date, last_anthracycline_date: the latter before the first HER2 dose, in any setting.
-- first_known_date, known_pertuzumab_date: by which they had surely begun: the first day that is not in_sequence, or
-- null.
create or replace table fct_her2_settings as
with given as (
    select
        patient_key,
        episode_key,
        setting,
        min(dose_date) as first_dose_date,
        max(dose_date) as last_dose_date,
        min(case when with_pertuzumab then dose_date end) as first_pertuzumab_date,
        min(case when not in_sequence then dose_date end) as first_known_date,
        min(case when not pertuzumab_in_sequence then dose_date end) as known_pertuzumab_date,
        count(*) filter (where is_regimen) = 1 and max(case when is_regimen then dose_date end) = max(dose_date)
            as named_last,
        bool_or(in_trial) as in_trial
    from fct_her2_days
    group by
        patient_key,
        episode_key,
        setting
),

anthracyclines as (
    select
        g.episode_key,
        g.setting,
        max(c.dose_date) as last_date
    from given as g
    inner join fct_cytotoxic_days as c on g.episode_key = c.episode_key
    where c.is_anthracycline and c.dose_date < g.first_dose_date
    group by
        g.episode_key,
        g.setting
)

select
    g.patient_key,
    g.episode_key,
    g.setting,
    g.first_dose_date,
    g.last_dose_date,
    g.named_last,
    g.in_trial,
    g.first_pertuzumab_date,
    g.first_known_date,
    g.known_pertuzumab_date,
    a.last_date as last_anthracycline_date
from given as g
left join anthracyclines as a on g.episode_key = a.episode_key and g.setting = a.setting;
