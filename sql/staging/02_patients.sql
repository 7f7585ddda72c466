-- stg_patients: one row a case, with what can be observed for it.
-- observable_through: the earliest of cut-off, last contact and transfer out, inclusive.
-- birth_earliest and birth_latest: the days between which an imprecise birth date lies; the date itself otherwise.
create or replace table stg_patients as
with moved as (
    select
        patient_key,
        max(day) filter (where column_name = 'death_date') as death_date,
        max(day) filter (where column_name = 'last_contact_date') as last_contact_date,
        max(day) filter (where column_name = 'transfer_in_date') as transfer_in_date,
        max(day) filter (where column_name = 'transfer_out_date') as transfer_out_date
    from case_dates
    where table_name = 'patients'
    group by patient_key
),

births as (
    select
        patient_id,
        min(first_day) as first_day,
        max(last_day) as last_day
    from imprecise_dates
    where table_name = 'patients' and column_name = 'birth_date'
    group by patient_id
),

placed as (
    select
        c.patient_key,
        c.patient_id,
        coalesce(b.first_day, p.birth_date) as birth_earliest,
        coalesce(b.last_day, p.birth_date) as birth_latest,
        p.sex,
        coalesce(m.death_date, p.death_date) as death_date,
        coalesce(m.last_contact_date, p.last_contact_date) as last_contact_date,
        coalesce(m.transfer_in_date, p.transfer_in_date) as transfer_in_date,
        coalesce(m.transfer_out_date, p.transfer_out_date) as transfer_out_date
    from cases as c
    inner join patients as p on c.patient_id = p.patient_id
    left join births as b on c.patient_id = b.patient_id
    left join moved as m on c.patient_key = m.patient_key
)

select
    p.*,
    least($cutoff, coalesce(p.last_contact_date, $cutoff), coalesce(p.transfer_out_date, $cutoff)) as observable_through
from placed as p;
