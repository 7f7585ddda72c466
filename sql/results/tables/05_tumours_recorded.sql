-- tumours_recorded: for each site and year of diagnosis, in how many tumours a field is expected, and in how many it is
-- recorded; for the table completeness. On the middle placement of imprecise dates, which count as recorded. Where a
-- tumour has several rows, each of them must have the field.
-- In the CTEs: true where recorded, false where missing, null where not expected.
create or replace temp table tumours_recorded as
with people as (
    select patient_key
    from cases
    where placement = 'middle'
),

samples as (
    select
        t.patient_key,
        t.tumour_id,
        r.specimen_date,
        r.specimen_site,
        t.ihc,
        t.ish is not null or t.ratio is not null or t.copies is not null as has_ish,
        r.er_percent,
        r.pr_percent
    from stg_receptor_tests as t
    inner join people as p on t.patient_key = p.patient_key
    inner join receptor_tests as r on t.row_number = r.row_number
    where t.invasive
),

assayed as (
    select
        patient_key,
        tumour_id,
        bool_or(ihc is not null or has_ish) as has_assay,
        case when max(ihc) = 2 then bool_or(has_ish) end as has_ish,
        bool_and(specimen_date is not null) filter (where ihc is not null or has_ish) as assays_dated,
        bool_and(specimen_site is not null) filter (where ihc is not null or has_ish) as assays_sited,
        bool_or(er_percent is not null) as has_er,
        bool_or(pr_percent is not null) as has_pr
    from samples
    group by
        patient_key,
        tumour_id
),

operated as (
    select
        s.patient_key,
        s.tumour_id,
        bool_and(s.surgery_date is not null) as surgeries_dated,
        bool_and(s.procedure is not null) as surgeries_named,
        bool_or(s.yp_t is not null) as has_yp_t,
        bool_or(s.yp_n is not null) as has_yp_n
    from stg_surgeries as s
    inner join people as p on s.patient_key = p.patient_key
    group by
        s.patient_key,
        s.tumour_id
),

concerned as (
    select
        t.*,
        t.invasive and t.her2_status = 'positive' as is_positive,
        t.invasive and t.her2_status = 'positive' and t.m_status <> 'm1' as is_early
    from fct_tumours as t
    inner join people as p on t.patient_key = p.patient_key
),

placed as (
    select
        *,
        coalesce(site_id, '(not recorded)') as site,
        coalesce(cast(extract(year from diagnosis_date) as varchar), '(not recorded)') as diagnosed,
        is_early and pathway = 'surgery-first' as is_surgery_first,
        is_early and pathway = 'neoadjuvant' and first_surgery_date is not null as is_operated_later
    from concerned
),

tumours_known as (
    select
        t.site,
        t.diagnosed,
        t.diagnosis_date is not null as has_diagnosis_date,
        t.histology is not null as has_histology,
        t.laterality is not null as has_laterality,
        case when t.invasive then t.m_status <> 'unknown' end as has_m,
        case when t.invasive then coalesce(a.has_assay, false) end as has_assay,
        a.has_ish,
        a.assays_dated,
        a.assays_sited,
        case when t.is_positive then t.er_status is not null or coalesce(a.has_er, false) end as has_er,
        case when t.is_positive then t.pr_status is not null or coalesce(a.has_pr, false) end as has_pr,
        case when t.is_early then coalesce(t.clinical_t, cast(t.clinical_size_mm as varchar)) is not null end
            as has_clinical_t,
        case when t.is_early then t.clinical_n is not null end as has_clinical_n,
        case
            when t.is_surgery_first then coalesce(t.pathological_t, cast(t.pathological_size_mm as varchar)) is not null
        end as has_pathological_t,
        case when t.is_surgery_first then t.pathological_n is not null end as has_pathological_n,
        case when t.is_surgery_first and t.node_positive then w.nodes_positive is not null end as has_node_count,
        case when t.is_operated_later then coalesce(o.has_yp_t, false) or t.response <> 'unknown' end as has_yp_t,
        case when t.is_operated_later then coalesce(o.has_yp_n, false) or t.response <> 'unknown' end as has_yp_n,
        o.surgeries_dated,
        o.surgeries_named
    from placed as t
    inner join tumours as w on t.tumour_id = w.tumour_id
    left join assayed as a on t.patient_key = a.patient_key and t.tumour_id = a.tumour_id
    left join operated as o on t.patient_key = o.patient_key and t.tumour_id = o.tumour_id
),

of_tumours as (
    select
        site,
        diagnosed,
        [
            struct_pack(
                field := 'tumours.diagnosis_date',
                expected := count(has_diagnosis_date),
                present := count_if(has_diagnosis_date)
            ),
            struct_pack(
                field := 'tumours.histology',
                expected := count(has_histology),
                present := count_if(has_histology)
            ),
            struct_pack(
                field := 'tumours.laterality',
                expected := count(has_laterality),
                present := count_if(has_laterality)
            ),
            struct_pack(
                field := 'tumours.clinical_m',
                expected := count(has_m),
                present := count_if(has_m)
            ),
            struct_pack(
                field := 'receptor_tests.her2_ihc',
                expected := count(has_assay),
                present := count_if(has_assay)
            ),
            struct_pack(
                field := 'receptor_tests.her2_ish',
                expected := count(has_ish),
                present := count_if(has_ish)
            ),
            struct_pack(
                field := 'receptor_tests.specimen_date',
                expected := count(assays_dated),
                present := count_if(assays_dated)
            ),
            struct_pack(
                field := 'receptor_tests.specimen_site',
                expected := count(assays_sited),
                present := count_if(assays_sited)
            ),
            struct_pack(
                field := 'tumours.er_status',
                expected := count(has_er),
                present := count_if(has_er)
            ),
            struct_pack(
                field := 'tumours.pr_status',
                expected := count(has_pr),
                present := count_if(has_pr)
            ),
            struct_pack(
                field := 'tumours.clinical_t',
                expected := count(has_clinical_t),
                present := count_if(has_clinical_t)
            ),
            struct_pack(
                field := 'tumours.clinical_n',
                expected := count(has_clinical_n),
                present := count_if(has_clinical_n)
            ),
            struct_pack(
                field := 'tumours.pathological_t',
                expected := count(has_pathological_t),
                present := count_if(has_pathological_t)
            ),
            struct_pack(
                field := 'tumours.pathological_n',
                expected := count(has_pathological_n),
                present := count_if(has_pathological_n)
            ),
            struct_pack(
                field := 'tumours.nodes_positive',
                expected := count(has_node_count),
                present := count_if(has_node_count)
            ),
            struct_pack(
                field := 'surgeries.yp_t',
                expected := count(has_yp_t),
                present := count_if(has_yp_t)
            ),
            struct_pack(
                field := 'surgeries.yp_n',
                expected := count(has_yp_n),
                present := count_if(has_yp_n)
            ),
            struct_pack(
                field := 'surgeries.surgery_date',
                expected := count(surgeries_dated),
                present := count_if(surgeries_dated)
            ),
            struct_pack(
                field := 'surgeries.procedure',
                expected := count(surgeries_named),
                present := count_if(surgeries_named)
            )
        ] as fields
    from tumours_known
    group by
        site,
        diagnosed
)

select
    site,
    diagnosed,
    unnest(fields) as counted
from of_tumours;
