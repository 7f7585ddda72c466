-- stg_receptor_tests: one row an invasive (or unspecified) sample's test of a case.
-- A test without tumour belongs to the patient's only tumour. test_date: when the result was read.
-- dated_by_report: only the day of the report is on record; the sample was taken on it or before.
create or replace table stg_receptor_tests as
with moved as (
    select
        patient_key,
        row_number,
        max(day) filter (where column_name = 'specimen_date') as specimen_date,
        max(day) filter (where column_name = 'report_date') as report_date
    from case_dates
    where table_name = 'receptor_tests'
    group by
        patient_key,
        row_number
),

only_tumours as (
    select
        patient_key,
        tumour_id
    from stg_tumours
    where tumour_count = 1
),

placed as (
    select
        c.patient_key,
        r.row_number,
        r.test_id,
        coalesce(r.tumour_id, o.tumour_id) as tumour_id,
        coalesce(m.specimen_date, r.specimen_date) as specimen_date,
        coalesce(m.report_date, r.report_date) as report_date,
        r.specimen_site,
        r.invasive,
        r.her2_ihc,
        r.her2_ish,
        r.her2_ratio,
        r.her2_copies,
        r.er_percent,
        r.pr_percent
    from receptor_tests as r
    inner join cases as c on r.patient_id = c.patient_id
    left join only_tumours as o on c.patient_key = o.patient_key
    left join moved as m on c.patient_key = m.patient_key and r.row_number = m.row_number
)

select
    p.patient_key,
    p.row_number,
    p.test_id,
    p.tumour_id,
    coalesce(p.specimen_date, p.report_date) as specimen_date,
    coalesce(p.report_date, p.specimen_date) as test_date,
    p.specimen_date is null as dated_by_report,
    coalesce(p.specimen_site, 'primary') as specimen_site,
    coalesce(p.invasive, true) as invasive,
    cast(substr(p.her2_ihc, 1, 1) as integer) as ihc,
    p.her2_ish as ish,
    p.her2_ratio as ratio,
    p.her2_copies as copies,
    p.er_percent,
    p.pr_percent
from placed as p;
