-- Anthracyclines, and the antibodies of who got them. A row is proven where its day is exact: neither imprecise, nor
-- read from a regimen's name that holds both kinds of drug ("AC-TH" tells of a sequence, not of one day).

-- anthracycline_drugs, imprecise_treatments: small, so that the doses are not what is hashed.
create or replace temp table anthracycline_drugs as
select ingredient
from ingredients
where is_anthracycline;

create or replace temp table imprecise_treatments as
select distinct row_number
from imprecise_dates
where table_name = 'treatments';

create or replace temp table anthracycline_rows as
select
    d.patient_key,
    d.row_number,
    d.ingredient,
    d.dose_date as start_date,
    case when d.derived then d.end_date else d.dose_date end as end_date,
    d.is_regimen,
    d.in_sequence,
    d.in_trial
from fct_doses as d
inner join anthracycline_drugs as a on d.ingredient = a.ingredient
where d.begins;

create or replace temp table anthracycline_patients as
select distinct patient_key
from anthracycline_rows;

-- taxane_rows: rows under a regimen's name that holds a taxane.
create or replace temp table taxane_rows as
select distinct d.row_number
from fct_doses as d
inner join anthracycline_patients as p on d.patient_key = p.patient_key
inner join ingredients as i on d.ingredient = i.ingredient
where d.is_regimen and i.is_taxane;

-- antibody_days: one row a day of an episode with trastuzumab or pertuzumab. A conjugate is neither.
create or replace temp table antibody_days as
select
    d.patient_key,
    d.episode_key,
    d.dose_date,
    bool_or(d.setting = 'curative') as curative,
    bool_and(d.derived) as derived,
    bool_or(d.begins) as begins,
    bool_or(d.open_course) as open_course,
    bool_and(d.is_regimen) as is_regimen,
    bool_or(d.in_trial) as in_trial
from fct_doses as d
inner join anthracycline_patients as p on d.patient_key = p.patient_key
where d.ingredient in ('trastuzumab', 'pertuzumab')
group by
    d.patient_key,
    d.episode_key,
    d.dose_date;

create or replace temp table imprecise_antibodies as
select distinct
    d.patient_key,
    d.dose_date as start_date,
    coalesce(d.end_date, d.dose_date) as end_date
from fct_doses as d
inner join imprecise_treatments as i on d.row_number = i.row_number
where d.begins and d.ingredient in ('trastuzumab', 'pertuzumab');

-- fct_anthracyclines: one row a dated row of one anthracycline, whichever tumour it was for: there is one heart.
-- through_date: the last day on which it can have been given: the end of a recorded course; without limit where that
-- end is not recorded, or a regimen's name on a single day is all there is.
create or replace table fct_anthracyclines as
with placed as (
    select
        *,
        min(start_date) over (partition by patient_key) = max(start_date) over (partition by patient_key) as once,
        -- FEC-D and AC-T begin with the anthracycline; on which of their later days it was given they don't tell.
        is_regimen
        and row_number in (select t.row_number from taxane_rows as t)
        and start_date > min(start_date) over (partition by patient_key) as perhaps_taxane
    from anthracycline_rows
)

select
    a.patient_key,
    a.ingredient,
    a.start_date,
    case
        when a.end_date is null or (a.once and a.is_regimen and a.end_date = a.start_date) then date '9999-12-31'
        else a.end_date
    end as through_date,
    i.row_number is null and not a.in_sequence and not a.perhaps_taxane as proven,
    a.in_trial
from placed as a
left join imprecise_treatments as i on a.row_number = i.row_number;

-- fct_antibody_exposures: one row a day of an episode with trastuzumab or pertuzumab, where the patient had an
-- anthracycline. derived: inside a recorded course, of which the first day alone is proven. open_ended: how long it
-- went on is not recorded.
create or replace table fct_antibody_exposures as
with placed as (
    select
        *,
        min(dose_date) over (partition by episode_key) = max(dose_date) over (partition by episode_key) as once
    from antibody_days
),

inexact as (
    select distinct
        d.patient_key,
        d.dose_date
    from antibody_days as d
    inner join imprecise_antibodies as i on d.patient_key = i.patient_key
    where d.dose_date between i.start_date and i.end_date
    union
    select distinct
        d.patient_key,
        d.dose_date
    from antibody_days as d
    inner join anthracycline_rows as a on d.patient_key = a.patient_key
    where
        a.in_sequence
        and d.is_regimen
        and d.dose_date between a.start_date and coalesce(a.end_date, date '9999-12-31')
)

select
    d.patient_key,
    d.episode_key,
    d.dose_date,
    d.curative,
    d.derived,
    d.open_course or (d.once and d.is_regimen) as open_ended,
    i.dose_date is null and (d.begins or not d.derived) as proven,
    d.in_trial
from placed as d
left join inexact as i on d.patient_key = i.patient_key and d.dose_date = i.dose_date;
