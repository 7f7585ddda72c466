-- lines: one row a line of systemic treatment of metastatic disease, for analysts; on the middle placement of imprecise
-- dates. Patient level. Columns as in fct_lines; cns_at_start: disease in the brain was known on the first day.
create or replace table lines as
select
    c.patient_id,
    l.* exclude (patient_key, episode_key),
    b.cns_date,
    coalesce(b.cns_date <= l.start_date, false) as cns_at_start
from fct_lines as l
inner join cases as c on l.patient_key = c.patient_key
left join fct_cns as b on l.patient_key = b.patient_key
where c.placement = 'middle';

-- window_lines: how many lines the windows make, by number, those in force first. Aggregate.
create or replace table window_lines as
with counted as (
    select l.*
    from line_starts as l
    inner join first_lines as f on l.episode_key = f.episode_key
    where f.is_middle
)

select
    w.is_default,
    w.join_days,
    w.gap_days,
    count(*) filter (where s.line_number = 1) as first_lines,
    count(*) filter (where s.line_number = 2) as second_lines,
    count(*) filter (where s.line_number = 3) as third_lines,
    count(*) filter (where s.line_number > 3) as later_lines
from line_windows as w
left join counted as s on w.join_days = s.join_days and w.gap_days = s.gap_days
group by
    w.is_default,
    w.join_days,
    w.gap_days;
