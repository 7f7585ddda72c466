-- stg_tumours: one row a tumour of a case; TNM without prefixes and suffixes, in lower case.
-- t: is, 0, 1mi, 1a, 1b, 1c, 1, 2, 3, 4 (4a to 4d as 4); n: 0, 0(i+), 1mi, 1, 2, 3; TX, NX, MX are missing.
create or replace table stg_tumours as
with moved as (
    select
        patient_key,
        row_number,
        max(day) as diagnosis_date
    from case_dates
    where table_name = 'tumours' and column_name = 'diagnosis_date'
    group by
        patient_key,
        row_number
),

written as (
    select
        c.patient_key,
        t.tumour_id,
        t.site_id,
        coalesce(m.diagnosis_date, t.diagnosis_date) as diagnosis_date,
        t.laterality,
        t.histology,
        replace(lower(t.clinical_t), ' ', '') as clinical_t,
        replace(lower(t.clinical_n), ' ', '') as clinical_n,
        replace(lower(t.clinical_m), ' ', '') as clinical_m,
        replace(lower(t.pathological_t), ' ', '') as pathological_t,
        replace(lower(t.pathological_n), ' ', '') as pathological_n,
        nullif(t.clinical_size_mm, 0) as clinical_size_mm,
        nullif(t.pathological_size_mm, 0) as pathological_size_mm,
        t.nodes_positive,
        t.er_status,
        t.pr_status,
        t.her2_summary,
        t.inflammatory,
        t.adjacent_dcis
    from tumours as t
    inner join cases as c on t.patient_id = c.patient_id
    left join moved as m on c.patient_key = m.patient_key and t.row_number = m.row_number
)

select
    w.patient_key,
    w.tumour_id,
    w.site_id,
    w.diagnosis_date,
    w.laterality,
    w.histology,
    nullif(regexp_extract(w.clinical_t, '^[cpyra]*t?(is|1mi|1a|1b|1c|0|1|2|3|4)', 1), '') as clinical_t,
    nullif(regexp_extract(w.clinical_n, '^[cpyra]*n?(0\(i\+\)|1mi|0|1|2|3)', 1), '') as clinical_n,
    nullif(regexp_extract(w.clinical_m, '^[cpyra]*m?(0|1)', 1), '') as clinical_m,
    nullif(regexp_extract(w.pathological_t, '^[cpyra]*t?(is|1mi|1a|1b|1c|0|1|2|3|4)', 1), '') as pathological_t,
    coalesce(
        nullif(regexp_extract(w.pathological_n, '^[cpyra]*n?(0\(i\+\)|1mi|0|1|2|3)', 1), ''),
        case when w.nodes_positive > 0 then '1' when w.nodes_positive = 0 then '0' end
    ) as pathological_n,
    w.clinical_size_mm,
    w.pathological_size_mm,
    w.er_status,
    w.pr_status,
    w.her2_summary,
    coalesce(w.inflammatory, false) or w.clinical_t like '%4d%' as inflammatory,
    w.adjacent_dcis,
    cast(count(*) over (partition by w.patient_key) as integer) as tumour_count
from written as w;
