-- stg_tumours: one row a tumour of a case; TNM as audit/tnm.py reads it.
-- t: is, 0, 1mi, 1a, 1b, 1c, 1, 2, 3, 4 (4a to 4d as 4); n: 0, 0(i+), 1mi, 1, 2, 3; null where missing or unreadable.
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
        t.clinical_t,
        t.clinical_n,
        t.clinical_m,
        t.pathological_t,
        t.pathological_n,
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
    ct.category as clinical_t,
    cn.category as clinical_n,
    cm.category as clinical_m,
    coalesce(cm.unreadable, false) as m_unreadable,
    coalesce(pt.unreadable, false) as pathological_t_unreadable,
    coalesce(pn.unreadable, false) and w.nodes_positive is null as pathological_n_unreadable,
    pt.category as pathological_t,
    coalesce(
        pn.category,
        case when w.nodes_positive > 0 then '1' when w.nodes_positive = 0 then '0' end
    ) as pathological_n,
    w.clinical_size_mm,
    w.pathological_size_mm,
    w.nodes_positive,
    w.er_status,
    w.pr_status,
    w.her2_summary,
    coalesce(w.inflammatory, false) or lower(w.clinical_t) like '%4d%' as inflammatory,
    w.adjacent_dcis,
    cast(count(*) over (partition by w.patient_key) as integer) as tumour_count
from written as w
left join stage_texts as ct on w.clinical_t = ct.text and ct.column_name = 'clinical_t'
left join stage_texts as cn on w.clinical_n = cn.text and cn.column_name = 'clinical_n'
left join stage_texts as cm on w.clinical_m = cm.text and cm.column_name = 'clinical_m'
left join stage_texts as pt on w.pathological_t = pt.text and pt.column_name = 'pathological_t'
left join stage_texts as pn on w.pathological_n = pn.text and pn.column_name = 'pathological_n';
