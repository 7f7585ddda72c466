-- fct_body_measures: the days, both inclusive, for which a patient's weight (kg) or body surface (m2) stands: up to the
-- window on either side of its own day, or halfway to the next one (the earlier one on a tie). is_recent false: older
-- than the window, until a newer one stands, or no nearer than another one that differs. A day with several values
-- tells none: value is null. kind: weight or surface.
create or replace table fct_body_measures as
with heights as (
    select
        patient_key,
        case when min(height_cm) = max(height_cm) then min(height_cm) end as height_cm,
        row_number() over (partition by patient_key order by observation_date desc) as position
    from stg_observations
    where height_cm is not null
    group by
        patient_key,
        observation_date
),

measured as (
    select
        patient_key,
        'weight' as kind,
        observation_date as day,
        weight_kg as value
    from stg_observations
    where weight_kg is not null
    union all
    select
        o.patient_key,
        'surface' as kind,
        o.observation_date as day,
        coalesce(o.bsa_m2, round(sqrt(h.height_cm * o.weight_kg / $mosteller), 4)) as value
    from stg_observations as o
    left join heights as h on o.patient_key = h.patient_key and h.position = 1
    where coalesce(o.bsa_m2, h.height_cm * o.weight_kg) is not null
),

days as (
    select
        patient_key,
        kind,
        day,
        case when min(value) = max(value) then min(value) end as value
    from measured
    group by
        patient_key,
        kind,
        day
),

neighboured as (
    select
        *,
        lag(day) over measures as day_before,
        lead(day) over measures as day_after,
        lead(value) over measures as value_after
    from days
    window measures as (partition by patient_key, kind order by day)
),

bounded as (
    select
        *,
        greatest(
            day - $dose_window_days,
            coalesce(
                day_before + cast(floor(date_diff('day', day_before, day) / 2) as integer) + 1,
                day - $dose_window_days
            )
        ) as from_date,
        least(
            day + $dose_window_days,
            coalesce(
                day + cast(floor(date_diff('day', day, day_after) / 2) as integer),
                day + $dose_window_days
            )
        ) as through_date
    from neighboured
),

-- clear_through: without the day as near to the next one, if that one differs.
cleared as (
    select
        *,
        case
            when
                date_diff('day', day, through_date) = date_diff('day', through_date, day_after)
                and coalesce(value <> value_after, true)
                then through_date - 1
            else through_date
        end as clear_through,
        greatest(through_date, coalesce(day_after - $dose_window_days - 1, date '9999-12-31')) as old_through
    from bounded
)

select
    patient_key,
    kind,
    day,
    value,
    true as is_recent,
    from_date,
    clear_through as through_date
from cleared
union all
select
    patient_key,
    kind,
    day,
    value,
    false as is_recent,
    clear_through + 1 as from_date,
    old_through as through_date
from cleared
where old_through > clear_through;

-- dose_limits: the amounts that can be doses of an antibody at all, by its form.
create or replace temp table dose_limits as
with own as (
    select
        ingredient,
        case when route = 'iv' then 'iv' when ingredient = 'pertuzumab' then 'fixed' else 'sc' end as form,
        max(low) filter (where unit = 'mg') as least_mg,
        max(high) filter (where unit = 'mg') as most_mg,
        max(low) filter (where unit = 'mg/kg') as least_mg_kg,
        max(high) filter (where unit = 'mg/kg') as most_mg_kg
    from plausible_doses
    where ingredient in ('trastuzumab', 'pertuzumab')
    group by
        ingredient,
        route
)

select * from own
union all
-- The combination's row of trastuzumab carries the amount of its pertuzumab.
select * replace ('trastuzumab' as ingredient)
from own
where form = 'fixed';

-- repeated_antibodies: the few days on which several rows tell of one of the two drugs of a patient: the amounts of any
-- other day need not be summed up.
create or replace temp table repeated_antibodies as
select
    patient_key,
    ingredient,
    dose_date
from fct_doses
where ingredient in ('trastuzumab', 'pertuzumab')
group by
    patient_key,
    ingredient,
    dose_date
having count(*) > 1;

-- antibody_dose_days: the days of the two drugs with their amounts and intervals, as in fct_antibody_dose_days.
create or replace temp table antibody_dose_days as
with given as (
    select
        d.patient_key,
        d.ingredient,
        d.dose_date,
        d.episode_key,
        d.setting,
        false as several,
        coalesce(d.dose_form, 'unknown') as first_form,
        coalesce(d.dose_form, 'unknown') as last_form,
        case when d.dose_unit = 'mg' then d.dose end as mg,
        case when d.dose_unit = 'mg/kg' then d.dose end as mg_kg,
        d.infusion_minutes,
        d.derived,
        d.in_sequence,
        d.open_course,
        d.in_trial,
        d.stop_reason
    from fct_doses as d
    left join repeated_antibodies as r
        on d.patient_key = r.patient_key and d.ingredient = r.ingredient and d.dose_date = r.dose_date
    where d.ingredient in ('trastuzumab', 'pertuzumab') and r.patient_key is null
    union all
    select
        d.patient_key,
        d.ingredient,
        d.dose_date,
        max(d.episode_key) as episode_key,
        max(d.setting) as setting,
        true as several,
        min(coalesce(d.dose_form, 'unknown')) as first_form,
        max(coalesce(d.dose_form, 'unknown')) as last_form,
        sum(case when d.dose_unit = 'mg' then d.dose end) as mg,
        sum(case when d.dose_unit = 'mg/kg' then d.dose end) as mg_kg,
        max(d.infusion_minutes) as infusion_minutes,
        bool_and(d.derived) as derived,
        bool_and(d.in_sequence) as in_sequence,
        bool_or(d.open_course) as open_course,
        bool_or(d.in_trial) as in_trial,
        max(d.stop_reason) as stop_reason
    from fct_doses as d
    inner join repeated_antibodies as r
        on d.patient_key = r.patient_key and d.ingredient = r.ingredient and d.dose_date = r.dose_date
    where d.ingredient in ('trastuzumab', 'pertuzumab')
    group by
        d.patient_key,
        d.ingredient,
        d.dose_date
),

formed as (
    select
        * exclude (first_form, last_form),
        case
            when first_form <> last_form then 'unclear'
            when first_form <> 'unknown' then first_form
            -- In single precision: 660 is ten percent more than 600, not a hair above it.
            when
                ingredient = 'trastuzumab'
                and cast(abs(mg / $trastuzumab_flat_mg - 1) as float) <= cast($rounding_share as float) then 'sc'
            when
                ingredient = 'pertuzumab'
                and cast(least(abs(mg / $fixed_loading_mg - 1), abs(mg / $fixed_maintenance_mg - 1)) as float)
                <= cast($rounding_share as float) then 'unclear'
            else 'iv'
        end as form
    from given
)

select
    *,
    date_diff('day', lag(dose_date) over drug_days, dose_date) as days_since,
    date_diff('day', dose_date, lead(dose_date) over drug_days) as days_until,
    date_diff('day', lag(dose_date, 2) over drug_days, lag(dose_date) over drug_days) as days_before,
    coalesce(
        setting <> lag(setting) over drug_days or episode_key <> lag(episode_key) over drug_days, true
    ) as moved,
    coalesce(lag(derived or in_sequence) over drug_days, false)
    or coalesce(lag(derived or in_sequence, 2) over drug_days, false)
    or coalesce(lead(derived or in_sequence) over drug_days, false) as beside_course
from formed
window drug_days as (partition by patient_key, ingredient order by dose_date);

-- antibody_runs: a patient's courses of the drug, each from its first day to the day before the next one begins. They
-- are few, and counted apart from the days.
create or replace temp table antibody_runs as
select
    patient_key,
    ingredient,
    dose_date as from_date,
    coalesce(lead(dose_date) over drug_runs - 1, date '9999-12-31') as through_date,
    row_number() over drug_runs as course_run
from antibody_dose_days
where moved or days_since > $course_gap_days
window drug_runs as (partition by patient_key, ingredient order by dose_date);

-- fct_antibody_dose_days: one row a day on which a patient was given trastuzumab or pertuzumab, for each of the two.
-- A day that counts for two episodes counts for the later one. setting: metastatic as soon as one of its rows is.
-- form: iv, sc, fixed (the combination) or unclear. Without a recorded route the amount tells whether trastuzumab was
-- given under the skin; it leaves unclear whether pertuzumab was. several: more than one row of the drug.
-- mg and mg_kg: the day's sum in that unit, mg_kg from mg and weight where none is recorded; null for trastuzumab in
-- both units, of which neither is the whole dose.
-- days_since, days_until: to the drug's day before and after, of the patient; days_before: the interval before that.
-- course_run: counts the patient's courses of the drug: a long gap, another setting or another episode begins the next.
-- unjudged: why the amount can't be judged: dose-missing, dose-unclear, dose-implausible, weight-missing; else null.
-- moved: the day before was in another setting or episode, or there was none.
-- in_sequence: nothing but the name of a regimen that does not begin with the drug puts it on that day.
-- beside_course: one of the days that these intervals are counted to is such a day, or derived from a course's dates,
-- so that neither the intervals nor the place of the day among the doses is known.
create or replace table fct_antibody_dose_days as
with numbered as (
    select
        d.*,
        r.course_run
    from antibody_dose_days as d
    inner join antibody_runs as r
        on
            d.patient_key = r.patient_key
            and d.ingredient = r.ingredient
            and d.dose_date between r.from_date and r.through_date
),

weighed as (
    select
        s.*,
        w.value as weight_kg,
        w.is_recent as weight_is_recent,
        coalesce(s.ingredient = 'trastuzumab' and s.mg is not null and s.mg_kg is not null, false) as in_two_units,
        case when s.form = 'iv' then coalesce(s.mg_kg, round(s.mg / w.value, 4)) end as amount_mg_kg
    from numbered as s
    left join fct_body_measures as w
        on
            s.patient_key = w.patient_key
            and w.kind = 'weight'
            and s.ingredient = 'trastuzumab'
            and s.form = 'iv'
            and s.mg_kg is null
            and s.dose_date between w.from_date and w.through_date
)

select
    w.patient_key,
    w.episode_key,
    w.setting,
    w.ingredient,
    w.dose_date,
    w.form,
    w.several,
    case when not w.in_two_units then w.mg end as mg,
    case when not w.in_two_units then w.amount_mg_kg end as mg_kg,
    w.weight_kg,
    coalesce(w.weight_is_recent, true) as weight_is_recent,
    w.infusion_minutes,
    w.open_course,
    w.in_trial,
    w.stop_reason,
    w.days_since,
    w.days_until,
    w.days_before,
    w.moved,
    w.in_sequence,
    w.beside_course,
    w.course_run,
    case
        when w.mg is null and (w.mg_kg is null or w.ingredient = 'pertuzumab' or w.form in ('sc', 'fixed'))
            then 'dose-missing'
        when w.form = 'unclear' then 'dose-unclear'
        when w.in_two_units then 'dose-unclear'
        when
            w.mg not between l.least_mg and l.most_mg
            or w.amount_mg_kg not between l.least_mg_kg and l.most_mg_kg
            then case when w.several then 'dose-unclear' else 'dose-implausible' end
        when w.ingredient = 'trastuzumab' and w.form = 'iv' and w.amount_mg_kg is null then 'weight-missing'
    end as unjudged
from weighed as w
left join dose_limits as l on w.ingredient = l.ingredient and w.form = l.form;

-- fct_surface_dose_days: one row a day on which a patient was given docetaxel, paclitaxel or a part of AC, with an
-- amount. mg, mg_m2: the day's sum in that unit, mg_m2 from mg and body surface where none is recorded. several and
-- unjudged: as for the antibodies, surface-missing instead of weight-missing.
create or replace table fct_surface_dose_days as
with limits as (
    select
        ingredient,
        max(low) filter (where unit = 'mg') as least_mg,
        max(high) filter (where unit = 'mg') as most_mg,
        max(low) filter (where unit = 'mg/m2') as least_mg_m2,
        max(high) filter (where unit = 'mg/m2') as most_mg_m2
    from plausible_doses
    where route = 'iv'
    group by ingredient
),

given as (
    select
        patient_key,
        ingredient,
        dose_date,
        count(*) > 1 as several,
        bool_or(coalesce(dose_form, 'iv') <> 'iv') filter (where dose is not null) as other_route,
        sum(case when dose_unit = 'mg' then dose end) as mg,
        sum(case when dose_unit = 'mg/m2' then dose end) as mg_m2
    from fct_doses
    where ingredient in ('docetaxel', 'paclitaxel', 'doxorubicin', 'cyclophosphamide')
    group by
        patient_key,
        ingredient,
        dose_date
    having count(dose) > 0
),

measured as (
    select
        g.*,
        s.value as surface_m2,
        s.is_recent as surface_is_recent,
        coalesce(g.mg_m2, round(g.mg / s.value, 4)) as amount_mg_m2
    from given as g
    left join fct_body_measures as s
        on
            g.patient_key = s.patient_key
            and s.kind = 'surface'
            and g.mg_m2 is null
            and g.dose_date between s.from_date and s.through_date
)

select
    m.patient_key,
    m.ingredient,
    m.dose_date,
    m.several,
    m.mg,
    m.amount_mg_m2 as mg_m2,
    m.surface_m2,
    coalesce(m.surface_is_recent, true) as surface_is_recent,
    case
        when m.other_route then 'dose-unclear'
        when m.mg is null and m.mg_m2 is null then 'dose-missing'
        when
            m.mg not between l.least_mg and l.most_mg
            or m.amount_mg_m2 not between l.least_mg_m2 and l.most_mg_m2
            then case when m.several then 'dose-unclear' else 'dose-implausible' end
        when m.amount_mg_m2 is null then 'surface-missing'
    end as unjudged
from measured as m
inner join limits as l on m.ingredient = l.ingredient;
