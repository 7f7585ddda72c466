-- completeness: how often each field that a rule needs is recorded, among those for whom it is expected, for the
-- registry (no site, no year), each site and each year of diagnosis. Only fields that a rule of this run needs.
-- Counted in tumours, or in patients at the site and year of their first tumour; on the middle placement of imprecise
-- dates, which count as recorded. Where a patient has several rows, each of them must have the field.
-- In the CTEs: true where recorded, false where missing, null where not expected.
create or replace table completeness as
with people as (
    select
        c.patient_key,
        c.patient_id,
        p.last_contact_date is not null as has_last_contact,
        p.death_date is not null as has_died
    from cases as c
    inner join stg_patients as p on c.patient_key = p.patient_key
    where c.placement = 'middle'
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
        t.invasive and t.her2_status = 'positive' and t.m_status <> 'm1' as is_early,
        row_number() over (
            partition by t.patient_key
            order by t.diagnosis_date nulls last, t.tumour_id
        ) = 1 as is_first
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
        case when t.is_operated_later then coalesce(o.has_yp_t, false) or t.response <> 'unknown' end as has_yp_t,
        case when t.is_operated_later then coalesce(o.has_yp_n, false) or t.response <> 'unknown' end as has_yp_n,
        o.surgeries_dated,
        o.surgeries_named
    from placed as t
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
),

drug_rows as (
    select
        t.patient_id,
        bool_or(i.is_her2_antibody or i.is_her2_conjugate) as any_antibody,
        bool_and(t.start_date is not null) as drugs_dated,
        bool_and(d.ingredient is not null) as drugs_named,
        bool_and(t.end_date is not null) filter (where t.record_kind = 'course') as courses_ended,
        bool_and(t.dose is not null and t.dose_unit is not null) filter (
            where coalesce(t.record_kind <> 'course', true) and (i.is_her2_antibody or i.is_cytotoxic)
        ) as drugs_dosed,
        bool_or(i.is_trastuzumab and t.dose_unit = 'mg' and coalesce(t.route <> 'sc', true)) as any_by_weight
    from treatments as t
    left join drug_names as d on t.drug = d.drug
    left join ingredients as i on d.ingredient = i.ingredient
    group by t.patient_id
),

weighed as (
    select
        patient_id,
        bool_or(weight_kg is not null) as has_weight
    from observations
    group by patient_id
),

hearts as (
    select
        patient_id,
        bool_or(lvef_percent is not null) as has_lvef
    from cardiac_assessments
    group by patient_id
),

irradiated as (
    select
        patient_id,
        bool_and(start_date is not null) as radiotherapy_dated
    from radiotherapy
    group by patient_id
),

followed as (
    select
        patient_id,
        bool_and(event_date is not null) as events_dated,
        bool_and(grade is not null) filter (where event in ('ild', 'infusion_reaction', 'heart_failure'))
            as events_graded
    from events
    group by patient_id
),

excused as (
    select
        x.patient_id,
        bool_and(x.reason is not null and coalesce(t.kind <> 'unrecognised', false)) as exceptions_recognised
    from exceptions as x
    left join topics as t on x.topic = t.topic
    group by x.patient_id
),

patients_known as (
    select
        t.site,
        t.diagnosed,
        case when not p.has_died then p.has_last_contact end as has_last_contact,
        r.drugs_dated,
        r.drugs_named,
        r.courses_ended,
        r.drugs_dosed,
        case when r.any_by_weight then coalesce(w.has_weight, false) end as has_weight,
        case when r.any_antibody then coalesce(h.has_lvef, false) end as has_lvef,
        x.radiotherapy_dated,
        f.events_dated,
        f.events_graded,
        e.exceptions_recognised
    from placed as t
    inner join people as p on t.patient_key = p.patient_key
    left join drug_rows as r on p.patient_id = r.patient_id
    left join weighed as w on p.patient_id = w.patient_id
    left join hearts as h on p.patient_id = h.patient_id
    left join irradiated as x on p.patient_id = x.patient_id
    left join followed as f on p.patient_id = f.patient_id
    left join excused as e on p.patient_id = e.patient_id
    where t.is_first
),

of_patients as (
    select
        site,
        diagnosed,
        [
            struct_pack(
                field := 'patients.last_contact_date',
                expected := count(has_last_contact),
                present := count_if(has_last_contact)
            ),
            struct_pack(
                field := 'treatments.start_date',
                expected := count(drugs_dated),
                present := count_if(drugs_dated)
            ),
            struct_pack(
                field := 'treatments.drug',
                expected := count(drugs_named),
                present := count_if(drugs_named)
            ),
            struct_pack(
                field := 'treatments.end_date',
                expected := count(courses_ended),
                present := count_if(courses_ended)
            ),
            struct_pack(
                field := 'treatments.dose',
                expected := count(drugs_dosed),
                present := count_if(drugs_dosed)
            ),
            struct_pack(
                field := 'observations.weight_kg',
                expected := count(has_weight),
                present := count_if(has_weight)
            ),
            struct_pack(
                field := 'cardiac_assessments.lvef_percent',
                expected := count(has_lvef),
                present := count_if(has_lvef)
            ),
            struct_pack(
                field := 'radiotherapy.start_date',
                expected := count(radiotherapy_dated),
                present := count_if(radiotherapy_dated)
            ),
            struct_pack(
                field := 'events.event_date',
                expected := count(events_dated),
                present := count_if(events_dated)
            ),
            struct_pack(
                field := 'events.grade',
                expected := count(events_graded),
                present := count_if(events_graded)
            ),
            struct_pack(
                field := 'exceptions.topic',
                expected := count(exceptions_recognised),
                present := count_if(exceptions_recognised)
            )
        ] as fields
    from patients_known
    group by
        site,
        diagnosed
),

unfolded as (
    select
        site,
        diagnosed,
        unnest(fields) as counted
    from of_tumours
    union all
    select
        site,
        diagnosed,
        unnest(fields) as counted
    from of_patients
),

cells as (
    select
        u.counted.field,
        u.site,
        u.diagnosed,
        u.counted.expected,
        u.counted.present
    from unfolded as u
),

summed as (
    select
        field,
        site as site_id,
        diagnosed as year,
        cast(sum(expected) as bigint) as expected,
        cast(sum(present) as bigint) as present
    from cells
    where expected > 0
    group by grouping sets (
        (field),
        (field, site),
        (field, diagnosed)
    )
)

select
    s.field,
    n.expected_among,
    s.site_id,
    s.year,
    s.expected,
    s.present,
    n.rules
from summed as s
inner join needed_fields as n on s.field = n.field;
