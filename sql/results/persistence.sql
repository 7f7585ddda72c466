-- How long HER2 antibody treatment of early disease lasted: one row an index tumour that is HER2-positive, M0 and
-- had trastuzumab in curative setting, on the middle placement of imprecise dates. Patient level. days: from the
-- first dose to what ended it, at least 1. A pause after which trastuzumab was given again, such as that for the
-- operation, is no end. ended_by, in this order: recurrence or death by the last covered day; switched (a
-- conjugate followed, as T-DM1 does after residual disease); completed (the year that R17 asks for); recurrence or
-- death before a pause was longer than a course may have; cardiac (heart failure, or an LVEF that asks to hold,
-- after which no dose followed, or a documented cardiac reason); stopped (short of the year, for whatever other
-- reason, and so late that it can't be reached any more, wherever imprecise dates lie); null where the end was not
-- seen by the last observable day, or where the record can't tell it: a course without an end, a single dose,
-- conjugates stored under trastuzumab.
with treated as (
    select
        c.patient_id,
        c.placement,
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
        and t.outside_early_her2 is null
        and d.first_trastuzumab_date is not null
),

limits as (
    select
        cast(max(value) filter (where name = 'course_gap_days') as integer) as gap_days,
        cast(max(value) filter (where name = 'three_weekly_days') as integer) as cycle_days
    from definitions
),

doses as (
    select
        episode_key,
        max(dose_date) as last_dose_date,
        sum(covers) as covered_days,
        count(*) filter (where not weekly) as three_weekly_doses,
        bool_or(trastuzumab_open) or count(*) filter (where is_regimen) = 1 or count(*) = 1 as end_unknown
    from fct_antibody_days
    where has_trastuzumab
    group by episode_key
),

switches as (
    select
        l.episode_key,
        min(d.dose_date) as conjugate_date
    from doses as l
    inner join fct_doses as d on l.episode_key = d.episode_key
    inner join ingredients as i on d.ingredient = i.ingredient
    where i.is_her2_conjugate and d.setting = 'curative' and d.dose_date > l.last_dose_date
    group by l.episode_key
),

holds as (
    select
        episode_key,
        max(last_dose_date) as held_dose_date
    from fct_cardiac_holds
    where setting = 'curative' and resumed_date is null
    group by episode_key
),

cardiac_reasons as (
    select distinct t.episode_key
    from treated as t
    inner join stg_exceptions as x on t.patient_key = x.patient_key
    left join fct_episodes as o on x.patient_key = o.patient_key and x.tumour_id = o.tumour_id
    where
        x.reason = 'contraindication-cardiac'
        and (x.tumour_id is null or o.episode_key = t.episode_key)
        and x.topic_name in ('early-her2-one-year', 'trastuzumab', 'her2-antibody', 'her2')
),

ended as (
    select
        t.*,
        d.last_dose_date,
        d.end_unknown,
        s.conjugate_date,
        d.last_dose_date + m.cycle_days as covered_through,
        d.last_dose_date + m.gap_days as pause_through,
        d.covered_days >= $min_covered_days or d.three_weekly_doses >= $min_three_weekly_doses as is_year,
        greatest(0, date_diff('day', t.observable_through, t.start_date + $max_span_days)) as days_left,
        d.covered_days,
        d.three_weekly_doses,
        m.cycle_days,
        r.episode_key is not null or coalesce(h.held_dose_date >= d.last_dose_date, false) as for_the_heart
    from treated as t
    cross join limits as m
    inner join doses as d on t.episode_key = d.episode_key
    left join switches as s on t.episode_key = s.episode_key
    left join holds as h on t.episode_key = h.episode_key
    left join cardiac_reasons as r on t.episode_key = r.episode_key
),

reached as (
    select
        *,
        days_left > 0
        and (
            covered_days + days_left >= $min_covered_days
            or three_weekly_doses + floor(days_left / cycle_days) + 1 >= $min_three_weekly_doses
        ) as still_possible
    from ended
),

decided as (
    select
        *,
        case
            when recurrence_date <= covered_through then 'recurrence'
            when death_date <= covered_through then 'death'
            when conjugate_date is not null then 'switched'
            when is_year and (pause_through < observable_through or death_date <= pause_through) then 'completed'
            when recurrence_date <= pause_through then 'recurrence'
            when death_date <= pause_through then 'death'
            when end_unknown or not $conjugates_told_apart then null
            when pause_through >= observable_through or still_possible then null
            when for_the_heart then 'cardiac'
            else 'stopped'
        end as ended_by
    from reached
),

placed as (
    select
        * exclude (ended_by),
        case
            when ended_by = 'stopped' and bool_or(ended_by is distinct from 'stopped') over whichever_day then null
            else ended_by
        end as ended_by
    from decided
    window whichever_day as (partition by patient_id, tumour_id)
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
                when 'recurrence' then least(recurrence_date, covered_through)
                when 'death' then least(death_date, covered_through)
                when 'switched' then least(conjugate_date, covered_through)
                when 'completed' then covered_through
                when 'cardiac' then covered_through
                when 'stopped' then covered_through
                else least(covered_through, observable_through)
            end
        )
    ) as days
from placed
where placement = 'middle'
order by
    patient_id,
    tumour_id
