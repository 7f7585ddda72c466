-- Records as data quality looks at them: temporary tables and views that end with the run.
-- A date that could be several days says nothing here and is left out, unless it moves with all the patient's others.

create or replace temp table vague_days as
select distinct
    table_name,
    row_number,
    column_name
from imprecise_dates
where unit is null;

create or replace temp table vague_rows as
select distinct
    table_name,
    row_number
from vague_days;

-- quality_first_dates: one row a patient with a tumour: the first diagnosis, and the last, of all tumours.
create or replace temp table quality_first_dates as
select
    t.patient_id,
    min(t.diagnosis_date) as first_diagnosis_date,
    count(*) as tumours,
    count(v.row_number) as vague_diagnoses
from tumours as t
left join vague_days as v on t.row_number = v.row_number and v.table_name = 'tumours'
group by t.patient_id;

-- quality_systemic: one row an episode's tumour: its first systemic dose, as the rules see it.
create or replace temp table quality_systemic as
select
    c.patient_id,
    p.row_number as person,
    t.tumour_id,
    t.her2_status,
    t.her2_basis,
    t.m_status,
    t.metastatic_date,
    t.first_surgery_date,
    t.first_systemic_date,
    t.first_curative_date
from fct_tumours as t
inner join cases as c on t.patient_key = c.patient_key
inner join patients as p on c.patient_id = p.patient_id
where c.placement = 'middle';

-- quality_people: patients with what cross-table checks ask of them; first_diagnosis_date is null where one is vague.
create or replace temp table quality_people as
select
    p.row_number,
    p.patient_id,
    p.sex,
    p.birth_date,
    case when d.row_number is null then p.death_date end as death_date,
    case when l.row_number is null then p.last_contact_date end as last_contact_date,
    case when i.row_number is null then p.transfer_in_date end as transfer_in_date,
    case when o.row_number is null then p.transfer_out_date end as transfer_out_date,
    coalesce(f.tumours, 0) as tumours,
    case when f.vague_diagnoses = 0 then f.first_diagnosis_date end as first_diagnosis_date
from patients as p
left join quality_first_dates as f on p.patient_id = f.patient_id
left join vague_days as d on p.row_number = d.row_number and d.table_name = 'patients' and d.column_name = 'death_date'
left join vague_days as l
    on p.row_number = l.row_number and l.table_name = 'patients' and l.column_name = 'last_contact_date'
left join vague_days as i
    on p.row_number = i.row_number and i.table_name = 'patients' and i.column_name = 'transfer_in_date'
left join vague_days as o
    on p.row_number = o.row_number and o.table_name = 'patients' and o.column_name = 'transfer_out_date';
