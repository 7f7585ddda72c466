-- quality_tumours: tumours with what the staging made of them, and what the facts say.
-- category_by_size: the T category that the recorded clinical size falls into. age: full years at diagnosis, roughly.
create or replace temp table quality_tumours as
with placed as (
    select
        t.*,
        case when v.row_number is null then t.diagnosis_date end as exact_diagnosis_date,
        s.clinical_t as read_clinical_t,
        s.clinical_n as read_clinical_n,
        s.clinical_m as read_clinical_m,
        s.pathological_t as read_pathological_t,
        s.pathological_n as read_pathological_n
    from tumours as t
    inner join cases as c on t.patient_id = c.patient_id and c.placement = 'middle'
    inner join stg_tumours as s on c.patient_key = s.patient_key and t.tumour_id = s.tumour_id
    left join vague_days as v
        on t.row_number = v.row_number and v.table_name = 'tumours' and v.column_name = 'diagnosis_date'
),

percents as (
    select
        tumour_id,
        max(er_percent) as er_percent,
        count(*) filter (
            where her2_ihc is not null or her2_ish is not null or her2_ratio is not null or her2_copies is not null
        ) as her2_tests
    from receptor_tests
    where tumour_id is not null
    group by tumour_id
),

spread as (
    select
        patient_id,
        min(event_date) as first_metastasis_date
    from events
    where event = 'distant_metastasis'
    group by patient_id
)

select
    p.row_number,
    p.patient_id,
    p.tumour_id,
    p.laterality,
    p.histology,
    p.clinical_t,
    p.clinical_n,
    p.clinical_m,
    p.pathological_t,
    p.pathological_n,
    p.clinical_size_mm,
    p.nodes_positive,
    p.er_status,
    p.her2_summary,
    p.inflammatory,
    p.read_clinical_t,
    p.read_clinical_n,
    p.read_clinical_m,
    p.read_pathological_t,
    p.read_pathological_n,
    p.exact_diagnosis_date as diagnosis_date,
    floor(date_diff('day', b.birth_date, p.exact_diagnosis_date) / 365.25) as age,
    b.death_date,
    b.sex,
    f.her2_status,
    f.her2_basis,
    f.m_status,
    f.first_surgery_date,
    f.first_curative_date,
    e.er_percent,
    coalesce(e.her2_tests, 0) as her2_tests,
    date_diff('day', p.exact_diagnosis_date, m.first_metastasis_date) as days_to_metastasis,
    case
        when p.clinical_size_mm is null or p.clinical_size_mm = 0 then null
        when p.clinical_size_mm <= $t1_limit_mm then '1'
        when p.clinical_size_mm <= $t2_limit_mm then '2'
        else '3'
    end as category_by_size,
    date_diff(
        'day',
        lag(p.exact_diagnosis_date) over same_side,
        p.exact_diagnosis_date
    ) <= $synchronous_days as repeats_same_side
from placed as p
inner join quality_people as b on p.patient_id = b.patient_id
left join quality_systemic as f on p.tumour_id = f.tumour_id
left join percents as e on p.tumour_id = e.tumour_id
left join spread as m on p.patient_id = m.patient_id
window same_side as (
    partition by p.patient_id, p.laterality, p.histology
    order by p.exact_diagnosis_date, p.tumour_id
);

-- quality_receptor_tests: tests with their tumour's diagnosis and first systemic dose.
-- by_numbers: what ratio and copies alone say where every definition agrees: positive, negative or null.
create or replace temp table quality_receptor_tests as
with dated as (
    select
        r.row_number,
        r.patient_id,
        r.tumour_id,
        case when s.row_number is null then r.specimen_date end as specimen_date,
        case when q.row_number is null then r.report_date end as report_date,
        coalesce(r.specimen_site, 'primary') as specimen_site,
        coalesce(r.invasive, true) as invasive,
        r.her2_ihc,
        r.her2_ish,
        r.her2_ratio,
        r.her2_copies,
        r.er_percent,
        r.pr_percent
    from receptor_tests as r
    left join vague_days as s
        on r.row_number = s.row_number and s.table_name = 'receptor_tests' and s.column_name = 'specimen_date'
    left join vague_days as q
        on r.row_number = q.row_number and q.table_name = 'receptor_tests' and q.column_name = 'report_date'
)

select
    d.*,
    p.tumours,
    t.diagnosis_date,
    f.first_systemic_date,
    case
        when d.her2_ratio > $ratio_2007 and coalesce(d.her2_copies >= $copies_positive, true) then 'positive'
        when d.her2_ratio < $ratio_2007_equivocal and coalesce(d.her2_copies < $copies_equivocal, true) then 'negative'
    end as by_numbers,
    min(d.specimen_date) filter (
        where d.invasive and d.specimen_site <> 'metastasis'
        and (d.her2_ihc is not null or d.her2_ish is not null or d.her2_ratio is not null)
    ) over (partition by d.tumour_id) as first_her2_date,
    min(d.her2_ihc) over same_specimen <> max(d.her2_ihc) over same_specimen as scores_differ
from dated as d
inner join quality_people as p on d.patient_id = p.patient_id
left join quality_tumours as t on d.tumour_id = t.tumour_id
left join quality_systemic as f on d.tumour_id = f.tumour_id
window same_specimen as (
    partition by d.tumour_id, d.specimen_date, d.specimen_site, d.invasive
);
