-- fct_cytotoxic_days: one row a day of an episode on which one cytotoxic drug was given, in one setting.
-- schedule, by the distance to the drug's neighbouring days: weekly, two-weekly, three-weekly (a lone day too), oral.
-- exposed_through: last day of exposure, inclusive (rules.md 2.6: 7, 14 or 21 days with the day itself; capecitabine,
-- the oral one, 14 from its dispensing). cycle_days: what the day weighs as treatment, for sums: a weekly dose 7, any
-- other a whole cycle of 21, so that sum(cycle_days) of one drug is its three-weekly equivalents times 21.
-- days_since and days_until: to the drug's day before and after, null where there is none.
-- derived: unfolded from a course's dates; open_course: a course without an end, how many doses it held is not known;
-- is_regimen: read from a regimen's name. A conjugate is never cytotoxic here. Methotrexate is, whatever it was for.
create or replace table fct_cytotoxic_days as
with days as (
    select
        d.patient_key,
        d.episode_key,
        d.setting,
        d.ingredient,
        i.is_taxane,
        i.is_anthracycline,
        i.is_platinum,
        d.dose_date,
        bool_or(d.derived) as derived,
        bool_or(d.open_course) as open_course,
        bool_or(d.is_regimen) as is_regimen,
        bool_or(d.in_trial) as in_trial,
        max(d.stop_reason) as stop_reason
    from fct_doses as d
    inner join ingredients as i on d.ingredient = i.ingredient
    where i.is_cytotoxic
    group by
        d.patient_key,
        d.episode_key,
        d.setting,
        d.ingredient,
        i.is_taxane,
        i.is_anthracycline,
        i.is_platinum,
        d.dose_date
),

neighboured as (
    select
        *,
        date_diff('day', lag(dose_date) over drug_days, dose_date) as days_since,
        date_diff('day', dose_date, lead(dose_date) over drug_days) as days_until
    from days
    window drug_days as (partition by episode_key, setting, ingredient order by dose_date)
),

scheduled as (
    select
        *,
        case
            when ingredient = 'capecitabine' then 'oral'
            when days_until <= $weekly_interval_days then 'weekly'
            when days_until < $three_weekly_least_days and days_since <= $weekly_interval_days then 'weekly'
            when days_until < $three_weekly_least_days then 'two-weekly'
            when days_until <= $three_weekly_most_days then 'three-weekly'
            when days_since <= $weekly_interval_days then 'weekly'
            when days_since < $three_weekly_least_days then 'two-weekly'
            else 'three-weekly'
        end as schedule
    from neighboured
)

select
    *,
    cast(
        dose_date
        + case schedule
            when 'weekly' then $weekly_days
            when 'two-weekly' then $two_weekly_days
            when 'oral' then $capecitabine_days
            else $three_weekly_days
        end
        - 1 as date
    ) as exposed_through,
    case schedule when 'weekly' then $weekly_days else $three_weekly_days end as cycle_days
from scheduled;
