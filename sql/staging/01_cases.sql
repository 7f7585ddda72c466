-- cases: one row for a patient, and for a patient with imprecise dates one row for each way to place them.
-- placement middle, first and last place every imprecise date together; alone-first and alone-last move one of them to
-- its first (last) day and all others to the other end, so that no failure rests on how two of them were paired.
-- may_fail: false for a patient with more imprecise dates than are tried alone, or with several doses of one drug that
-- every placement puts on one day: neither can be shown to fail.
-- A birth date is left where it stands: month precision is enough for an age.
create or replace table case_dates_units as
with uncertain as (
    select
        patient_id,
        table_name,
        row_number,
        column_name,
        first_day,
        middle_day,
        last_day,
        coalesce(unit, table_name || '.' || column_name || '.' || cast(row_number as varchar)) as unit
    from imprecise_dates
    where column_name <> 'birth_date' and patient_id is not null
)

select
    u.*,
    dense_rank() over (partition by u.patient_id order by u.unit) as unit_number
from uncertain as u;

create or replace table cases as
with units as (
    select
        patient_id,
        max(unit_number) as unit_count
    from case_dates_units
    group by patient_id
),

same_days as (
    select
        t.patient_id,
        t.drug
    from imprecise_dates as d
    inner join treatments as t on d.row_number = t.row_number
    where d.table_name = 'treatments' and d.column_name = 'start_date' and d.unit is null
    group by
        t.patient_id,
        t.drug,
        d.first_day,
        d.last_day
    having count(*) > 1
),

colliding as (
    select distinct patient_id
    from same_days
),

together as (
    select
        u.patient_id,
        t.placement,
        0 as moved_unit
    from units as u
    cross join (values ('first'), ('last')) as t (placement)
),

alone as (
    select distinct
        d.patient_id,
        t.placement,
        d.unit_number as moved_unit
    from case_dates_units as d
    inner join units as u on d.patient_id = u.patient_id
    cross join (values ('alone-first'), ('alone-last')) as t (placement)
    where u.unit_count between 2 and $placed_alone_units
),

every as (
    select
        patient_id,
        'middle' as placement,
        0 as moved_unit
    from patients
    union all
    select * from together
    union all
    select * from alone
)

select
    cast(row_number() over (order by e.patient_id, e.placement, e.moved_unit) as integer) as patient_key,
    e.patient_id,
    e.placement,
    e.moved_unit,
    coalesce(u.unit_count <= $placed_alone_units, true) and s.patient_id is null as may_fail
from every as e
left join units as u on e.patient_id = u.patient_id
left join colliding as s on e.patient_id = s.patient_id;

create or replace table case_dates as
select
    c.patient_key,
    d.table_name,
    d.row_number,
    d.column_name,
    max(case
        when c.placement = 'middle' then d.middle_day
        when c.placement = 'first' then d.first_day
        when c.placement = 'last' then d.last_day
        when (c.placement = 'alone-first') = (c.moved_unit = d.unit_number) then d.first_day
        else d.last_day
    end) as day
from case_dates_units as d
inner join cases as c on d.patient_id = c.patient_id
where c.placement <> 'middle'
group by
    c.patient_key,
    d.table_name,
    d.row_number,
    d.column_name;
