-- patients_recorded: as tumours_recorded, counted in patients, at the site and year of diagnosis of their first tumour.
create or replace temp table patients_recorded as
with homes as (
    select
        p.patient_id,
        p.birth_earliest,
        p.death_date,
        p.last_contact_date,
        coalesce(t.site_id, '(not recorded)') as site,
        coalesce(cast(extract(year from t.diagnosis_date) as varchar), '(not recorded)') as diagnosed,
        row_number() over (partition by t.patient_key order by t.diagnosis_date nulls last, t.tumour_id) as position
    from cases as c
    inner join stg_patients as p on c.patient_key = p.patient_key
    inner join fct_tumours as t on c.patient_key = t.patient_key
    where c.placement = 'middle'
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
        bool_and(start_date is not null) as radiotherapy_dated,
        bool_and(end_date is not null) as radiotherapy_ended,
        bool_and(target is not null) as radiotherapy_aimed
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
        t.birth_earliest is not null as has_birth_date,
        case when t.death_date is null then t.last_contact_date is not null end as has_last_contact,
        r.drugs_dated,
        r.drugs_named,
        r.courses_ended,
        r.drugs_dosed,
        case when r.any_by_weight then coalesce(w.has_weight, false) end as has_weight,
        case when r.any_antibody then coalesce(h.has_lvef, false) end as has_lvef,
        x.radiotherapy_dated,
        x.radiotherapy_ended,
        x.radiotherapy_aimed,
        f.events_dated,
        f.events_graded,
        e.exceptions_recognised
    from homes as t
    left join drug_rows as r on t.patient_id = r.patient_id
    left join weighed as w on t.patient_id = w.patient_id
    left join hearts as h on t.patient_id = h.patient_id
    left join irradiated as x on t.patient_id = x.patient_id
    left join followed as f on t.patient_id = f.patient_id
    left join excused as e on t.patient_id = e.patient_id
    where t.position = 1
),

of_patients as (
    select
        site,
        diagnosed,
        [
            struct_pack(
                field := 'patients.birth_date',
                expected := count(has_birth_date),
                present := count_if(has_birth_date)
            ),
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
                field := 'radiotherapy.end_date',
                expected := count(radiotherapy_ended),
                present := count_if(radiotherapy_ended)
            ),
            struct_pack(
                field := 'radiotherapy.target',
                expected := count(radiotherapy_aimed),
                present := count_if(radiotherapy_aimed)
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
)

select
    site,
    diagnosed,
    unnest(fields) as counted
from of_patients;

-- completeness: how often each field that a rule needs is recorded, among those for whom it is expected, for the
-- registry (no site, no year), each site and each year of diagnosis. Only fields that a rule of this run needs.
create or replace table completeness as
with unfolded as (
    select *
    from tumours_recorded
    union all
    select *
    from patients_recorded
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
