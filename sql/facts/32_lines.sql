-- line_spans: one row a line in the windows in force, with the start and reason of the one after it.
create or replace temp table line_spans as
select
    f.patient_key,
    s.episode_key,
    s.line_number,
    s.start_date,
    s.began_by,
    lead(s.start_date) over lines_in_order as next_start_date,
    lead(s.began_by) over lines_in_order as next_began_by
from line_starts as s
inner join line_windows as w on s.join_days = w.join_days and s.gap_days = w.gap_days
inner join first_lines as f on s.episode_key = f.episode_key
where w.is_default
window lines_in_order as (partition by s.episode_key order by s.line_number);

-- fct_line_days: one row a line, day and ingredient given in it.
create or replace table fct_line_days as
select
    s.patient_key,
    s.episode_key,
    s.line_number,
    s.start_date,
    d.dose_date,
    d.ingredient,
    d.is_her2,
    d.is_cytotoxic,
    d.is_endocrine,
    d.derived,
    d.open_course,
    d.is_regimen,
    d.in_trial,
    d.stop_reason
from line_spans as s
inner join metastatic_doses as d
    on
        s.episode_key = d.episode_key
        and s.start_date <= d.dose_date
        and d.dose_date < coalesce(s.next_start_date, date '9999-12-31');

-- fct_line_drugs: one row a line and ingredient. is_joined: begun after the join window of the line.
create or replace table fct_line_drugs as
with given as (
    select
        patient_key,
        episode_key,
        line_number,
        start_date,
        ingredient,
        min(dose_date) as first_date,
        max(dose_date) as last_date,
        count(*) as dose_days,
        bool_or(open_course) as open_course,
        bool_or(is_regimen) as is_regimen,
        bool_or(in_trial) as in_trial,
        arg_max(stop_reason, dose_date) as stop_reason
    from fct_line_days
    group by
        patient_key,
        episode_key,
        line_number,
        start_date,
        ingredient
)

select
    g.*,
    date_diff('day', g.start_date, g.first_date) as days_from_start,
    g.first_date > g.start_date + $line_join_days as is_joined,
    i.is_her2,
    i.is_her2_antibody,
    i.is_her2_conjugate,
    i.is_trastuzumab,
    i.is_pertuzumab,
    i.is_taxane,
    i.is_anthracycline,
    i.is_cytotoxic,
    i.is_endocrine
from given as g
inner join ingredients as i on g.ingredient = i.ingredient;

-- fct_prior_her2: one row a line and HER2 drug that the patient was given before the line.
-- in_early_disease: before the first line.
create or replace table fct_prior_her2 as
with her2_drugs as (
    select
        s.patient_key,
        s.ingredient,
        i.is_her2_antibody,
        i.is_her2_conjugate,
        min(s.first_dose_date) as first_date
    from fct_drug_spans as s
    inner join ingredients as i on s.ingredient = i.ingredient
    where i.is_her2
    group by
        s.patient_key,
        s.ingredient,
        i.is_her2_antibody,
        i.is_her2_conjugate
)

select
    l.patient_key,
    l.episode_key,
    l.line_number,
    h.ingredient,
    case
        when h.is_her2_antibody then 'antibody'
        when h.is_her2_conjugate then 'conjugate'
        else 'kinase-inhibitor'
    end as her2_class,
    h.first_date,
    h.first_date < f.start_date as in_early_disease
from line_spans as l
inner join first_lines as f on l.episode_key = f.episode_key
inner join her2_drugs as h on l.patient_key = h.patient_key and l.start_date > h.first_date;

-- fct_recurrence_clock: one row an episode that came back metastatic: calendar months from the last HER2 antibody or
-- T-DM1 dose for early disease to the metastatic recurrence.
-- clock: early, grey-zone (past the labels' limit; the guideline's limit included), late, no-her2 (never given), or
-- unclear: late by what is known, but one of these doses began a course without an end, or an earlier recurrence of
-- breast or nodes, not treated with HER2 drugs again, was not late.
create or replace table fct_recurrence_clock as
with relapses as (
    select
        m.patient_key,
        m.episode_key,
        m.metastatic_date,
        coalesce(f.start_date, date '9999-12-31') as start_date,
        min(i.event_date) as first_date
    from metastatic_episodes as m
    left join first_lines as f on m.episode_key = f.episode_key
    inner join fct_interruptions as i on m.episode_key = i.episode_key and m.metastatic_date >= i.event_date
    where not m.de_novo and i.kind = 'recurrence' and i.is_own
    group by
        m.patient_key,
        m.episode_key,
        m.metastatic_date,
        f.start_date
),

recurrences as (
    select
        patient_key,
        episode_key,
        start_date,
        metastatic_date as recurrence_date,
        false as is_earlier
    from relapses
    union all
    select
        patient_key,
        episode_key,
        start_date,
        first_date as recurrence_date,
        true as is_earlier
    from relapses
),

clock_doses as (
    select
        m.episode_key,
        m.dose_date,
        m.open_course
    from metastatic_doses as m
    inner join ingredients as i on m.ingredient = i.ingredient
    where (i.is_her2_antibody or i.ingredient = 'trastuzumab-emtansine') and not m.palliative
),

last_doses as (
    select
        r.patient_key,
        r.episode_key,
        r.recurrence_date,
        r.is_earlier,
        max(d.dose_date) as last_her2_date,
        coalesce(bool_or(d.open_course), false) as open_course
    from recurrences as r
    left join clock_doses as d
        on r.episode_key = d.episode_key and r.recurrence_date >= d.dose_date and r.start_date > d.dose_date
    group by
        r.patient_key,
        r.episode_key,
        r.recurrence_date,
        r.is_earlier
),

counted as (
    select
        *,
        (extract(year from recurrence_date) - extract(year from last_her2_date)) * 12
        + extract(month from recurrence_date) - extract(month from last_her2_date) as month_steps,
        extract(day from recurrence_date) - extract(day from last_her2_date) as day_steps
    from last_doses
),

classed as (
    select
        *,
        cast(month_steps - case when day_steps < 0 then 1 else 0 end as integer) as full_months,
        case
            when last_her2_date is null then 'no-her2'
            when month_steps < $grey_zone_months or (month_steps = $grey_zone_months and day_steps <= 0) then 'early'
            when month_steps < $early_recurrence_months then 'grey-zone'
            when month_steps = $early_recurrence_months and day_steps <= 0 then 'grey-zone'
            else 'late'
        end as clock
    from counted
)

select
    c.patient_key,
    c.episode_key,
    c.recurrence_date,
    c.last_her2_date,
    c.full_months,
    case
        when c.clock <> 'late' then c.clock
        when c.open_course then 'unclear'
        when e.clock in ('early', 'grey-zone') and e.last_her2_date = c.last_her2_date then 'unclear'
        else 'late'
    end as clock
from classed as c
inner join classed as e on c.episode_key = e.episode_key and e.is_earlier
where not c.is_earlier;
