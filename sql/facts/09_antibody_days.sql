-- fct_antibody_days: one row a day of an episode on which trastuzumab or pertuzumab was given in curative setting.
-- covers: days this trastuzumab day covers until the next one. together: pertuzumab with trastuzumab close by.
-- trastuzumab_in_sequence, pertuzumab_in_sequence: nothing but the name of a regimen that does not begin with it puts
-- the drug on that day.
-- weekly: the next single dose follows within days; or the previous one did and no three-weekly interval follows. The
-- days unfolded from a course are never weekly.
-- beside_trastuzumab_course, beside_pertuzumab_course: the day lies in a course of the drug whose end is recorded, or
-- as close to it as counts for together: some dose of the course may have been given beside it, whatever its days.
-- told_twice: a day unfolded from a course, close to a single dose: the course and the dose tell of one.
create or replace table fct_antibody_days as
with days as (
    select
        patient_key,
        episode_key,
        dose_date,
        bool_or(ingredient = 'trastuzumab') as has_trastuzumab,
        bool_or(ingredient = 'pertuzumab') as has_pertuzumab,
        bool_or(ingredient = 'trastuzumab' and is_sc) as is_sc,
        bool_or(is_regimen) as is_regimen,
        bool_or(open_course and ingredient = 'trastuzumab') as trastuzumab_open,
        bool_or(open_course and ingredient = 'pertuzumab') as pertuzumab_open,
        coalesce(bool_and(in_sequence) filter (where ingredient = 'trastuzumab'), false) as trastuzumab_in_sequence,
        bool_and(in_sequence) filter (where ingredient = 'pertuzumab') as pertuzumab_in_sequence,
        bool_or(derived) as derived,
        coalesce(bool_and(derived) filter (where ingredient = 'trastuzumab'), false) as trastuzumab_derived,
        bool_or(derived and ingredient = 'pertuzumab') as pertuzumab_derived,
        bool_or(not derived and ingredient = 'pertuzumab') as pertuzumab_single,
        bool_or(in_trial) as in_trial,
        max(stop_reason) filter (where ingredient = 'trastuzumab') as trastuzumab_stop,
        max(stop_reason) filter (where ingredient = 'pertuzumab') as pertuzumab_stop
    from fct_doses
    where setting = 'curative' and ingredient in ('trastuzumab', 'pertuzumab')
    group by
        patient_key,
        episode_key,
        dose_date
),

courses as (
    select
        episode_key,
        ingredient,
        dose_date - $together_days as from_date,
        end_date + $together_days as through_date
    from fct_doses
    where
        begins
        and derived
        and end_date is not null
        and setting = 'curative'
        and ingredient in ('trastuzumab', 'pertuzumab')
),

beside_courses as (
    select
        d.episode_key,
        d.dose_date,
        bool_or(c.ingredient = 'trastuzumab') as beside_trastuzumab_course,
        bool_or(c.ingredient = 'pertuzumab') as beside_pertuzumab_course
    from days as d
    inner join courses as c on d.episode_key = c.episode_key and d.dose_date between c.from_date and c.through_date
    group by
        d.episode_key,
        d.dose_date
),

marked as (
    select
        *,
        case when has_trastuzumab then dose_date end as trastuzumab_date,
        case when has_trastuzumab and not trastuzumab_derived then dose_date end as single_date
    from days
),

neighboured as (
    select
        *,
        date_diff('day', lag(trastuzumab_date ignore nulls) over days_in_order, dose_date) as days_since,
        date_diff('day', dose_date, lead(trastuzumab_date ignore nulls) over days_in_order) as days_until,
        date_diff('day', lag(single_date ignore nulls) over days_in_order, dose_date) as single_since,
        date_diff('day', dose_date, lead(single_date ignore nulls) over days_in_order) as single_until
    from marked
    window days_in_order as (partition by episode_key order by dose_date)
),

scheduled as (
    select
        *,
        has_trastuzumab
        and not trastuzumab_derived
        and not is_sc
        and (
            coalesce(single_until <= $weekly_interval_days, false)
            or (
                coalesce(single_since <= $weekly_interval_days, false)
                and not coalesce(single_until between $three_weekly_least_days and $three_weekly_most_days, false)
            )
        ) as weekly,
        trastuzumab_derived
        and coalesce(least(single_since, single_until) <= $weekly_interval_days, false) as told_twice
    from neighboured
)

select
    s.patient_key,
    s.episode_key,
    s.dose_date,
    s.has_trastuzumab,
    s.has_pertuzumab,
    s.is_regimen,
    s.trastuzumab_open,
    s.pertuzumab_open,
    s.trastuzumab_in_sequence,
    s.pertuzumab_in_sequence,
    s.derived,
    s.pertuzumab_derived,
    s.pertuzumab_single,
    coalesce(b.beside_trastuzumab_course, false) as beside_trastuzumab_course,
    coalesce(b.beside_pertuzumab_course, false) as beside_pertuzumab_course,
    s.in_trial,
    s.trastuzumab_stop,
    s.pertuzumab_stop,
    s.days_since,
    s.weekly,
    s.told_twice,
    cast(case
        when s.has_trastuzumab
            then least(
                case when s.weekly then $weekly_days else $three_weekly_days end,
                coalesce(s.days_until, $three_weekly_days)
            )
        else 0
    end as integer) as covers,
    s.has_pertuzumab
    and (
        s.has_trastuzumab
        or coalesce(s.days_since <= $together_days, false)
        or coalesce(s.days_until <= $together_days, false)
    ) as together
from scheduled as s
left join beside_courses as b on s.episode_key = b.episode_key and s.dose_date = b.dose_date;
