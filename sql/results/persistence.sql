-- How long HER2 antibody treatment of early disease lasted: one row an index tumour that is HER2-positive, M0 and had
-- trastuzumab in curative setting, on the middle placement of imprecise dates. Patient level.
-- days: from the first dose to what ended it, at least 1. ended_by: stopped (no dose for longer than a course may
-- pause); recurrence on or before the last covered day; death before a pause was that long; cardiac (heart failure, or
-- an LVEF that asks to hold, after which no dose followed); null where the end was not seen by the last observable day.
with treated as (
    select
        c.patient_id,
        t.patient_key,
        t.tumour_id,
        t.site_id,
        t.episode_key,
        t.pathway,
        t.recurrence_date,
        d.first_trastuzumab_date as start_date,
        p.death_date,
        p.observable_through
    from fct_tumours as t
    inner join cases as c on t.patient_key = c.patient_key
    inner join stg_patients as p on t.patient_key = p.patient_key
    inner join fct_first_doses as d on t.episode_key = d.episode_key
    where
        t.is_index
        and c.placement = 'middle'
        and t.outside_early_her2 is null
        and d.first_trastuzumab_date is not null
),

limits as (
    select
        cast(max(value) filter (where name = 'course_gap_days') as integer) as gap_days,
        cast(max(value) filter (where name = 'three_weekly_days') as integer) as cycle_days
    from definitions
),

spaced as (
    select
        a.episode_key,
        a.dose_date,
        date_diff('day', lag(a.dose_date) over (partition by a.episode_key order by a.dose_date), a.dose_date) as gap
    from fct_antibody_days as a
    where a.has_trastuzumab
),

runs as (
    select
        s.episode_key,
        s.dose_date,
        sum(case when s.gap > l.gap_days then 1 else 0 end) over (
            partition by s.episode_key
            order by s.dose_date
            rows between unbounded preceding and current row
        ) as pauses
    from spaced as s
    cross join limits as l
),

lasts as (
    select
        episode_key,
        max(dose_date) as last_dose_date
    from runs
    where pauses = 0
    group by episode_key
),

holds as (
    select
        episode_key,
        max(last_dose_date) as held_dose_date
    from fct_cardiac_holds
    where setting = 'curative' and resumed_date is null
    group by episode_key
),

ended as (
    select
        t.*,
        l.last_dose_date,
        l.last_dose_date + m.cycle_days as covered_through,
        l.last_dose_date + m.gap_days < t.observable_through as seen_to_end,
        l.last_dose_date + m.gap_days as pause_through,
        coalesce(h.held_dose_date >= l.last_dose_date, false) as held
    from treated as t
    cross join limits as m
    inner join lasts as l on t.episode_key = l.episode_key
    left join holds as h on t.episode_key = h.episode_key
),

decided as (
    select
        *,
        case
            when recurrence_date <= covered_through then 'recurrence'
            when death_date <= pause_through then 'death'
            when seen_to_end and held then 'cardiac'
            when seen_to_end then 'stopped'
        end as ended_by
    from ended
)

select
    patient_id,
    tumour_id,
    site_id,
    pathway,
    start_date,
    last_dose_date,
    ended_by,
    greatest(
        1,
        date_diff(
            'day',
            start_date,
            case ended_by
                when 'recurrence' then recurrence_date
                when 'death' then least(death_date, covered_through)
                when 'cardiac' then covered_through
                when 'stopped' then covered_through
                else least(covered_through, observable_through)
            end
        )
    ) as days
from decided
order by
    patient_id,
    tumour_id
