-- fct_recurrence_clock: one row an episode that recurred: calendar months from the last HER2 antibody or T-DM1 dose
-- before the recurrence. clock: early, grey-zone (past the labels' limit; the guideline's limit included) or late.
create or replace view fct_recurrence_clock as
with limits as (
    select
        max(case when name = 'grey_zone_months' then value end) as grey_zone_months,
        max(case when name = 'early_recurrence_months' then value end) as early_recurrence_months
    from definitions
),

recurrences as (
    select
        patient_key,
        episode_key,
        min(event_date) as recurrence_date
    from fct_interruptions
    where kind = 'recurrence'
    group by
        patient_key,
        episode_key
),

last_doses as (
    select
        r.patient_key,
        r.episode_key,
        r.recurrence_date,
        max(d.dose_date) as last_her2_date
    from recurrences as r
    inner join fct_doses as d on r.episode_key = d.episode_key
    inner join ingredients as i on d.ingredient = i.ingredient
    where
        d.dose_date <= r.recurrence_date
        and d.setting = 'curative'
        and (i.is_her2_antibody or i.ingredient = 'trastuzumab-emtansine')
    group by
        r.patient_key,
        r.episode_key,
        r.recurrence_date
),

counted as (
    select
        *,
        (extract(year from recurrence_date) - extract(year from last_her2_date)) * 12
        + extract(month from recurrence_date) - extract(month from last_her2_date) as month_steps,
        extract(day from recurrence_date) - extract(day from last_her2_date) as day_steps
    from last_doses
)

select
    patient_key,
    episode_key,
    recurrence_date,
    last_her2_date,
    month_steps - case when day_steps < 0 then 1 else 0 end as full_months,
    case
        when
            month_steps < limits.grey_zone_months or (month_steps = limits.grey_zone_months and day_steps <= 0)
            then 'early'
        when month_steps < limits.early_recurrence_months then 'grey-zone'
        when month_steps = limits.early_recurrence_months and day_steps <= 0 then 'grey-zone'
        else 'late'
    end as clock
from counted
cross join limits;
