-- fct_her2_assays: one row a test with any HER2 assay, of an in-situ sample too: what was measured, the definition in
-- force when it was read, and what the sample's assays together say. An in-situ sample has no result: it never counts.
create or replace table fct_her2_assays as
select
    r.patient_key,
    r.tumour_id,
    t.laterality,
    r.specimen_date,
    r.specimen_site,
    r.invasive,
    r.ihc,
    r.ish,
    r.ratio,
    r.copies,
    r.test_date,
    case
        when r.test_date < $her2_2013_from then '2007'
        when r.test_date < $her2_2018_from then '2013'
        else '2018'
    end as definition,
    s.result
from stg_receptor_tests as r
left join stg_tumours as t on r.patient_key = t.patient_key and r.tumour_id = t.tumour_id
left join fct_specimens as s
    on
        r.invasive
        and r.patient_key = s.patient_key
        and r.tumour_id is not distinct from s.tumour_id
        and r.specimen_date = s.specimen_date
        and r.specimen_site = s.specimen_site
where r.ihc is not null or r.ish is not null or r.ratio is not null or r.copies is not null;

-- fct_her2_changes: one row a tumour with a definite HER2 result by assay before systemic treatment and a definite one
-- in a later sample of one kind: the newest sample of that kind against the status before treatment. The status before
-- treatment is never overwritten by it.
create or replace table fct_her2_changes as
with later as (
    select
        t.patient_key,
        t.tumour_id,
        t.her2_status as status_before,
        case s.specimen_site when 'metastasis' then 'metastasis' else 'breast or nodes' end as sample_kind,
        s.specimen_date,
        s.result
    from fct_tumours as t
    inner join fct_specimens as s on t.patient_key = s.patient_key and t.tumour_id = s.tumour_id
    where
        t.her2_basis = 'assay'
        and t.her2_status in ('positive', 'negative')
        and s.result in ('positive', 'negative')
        and s.specimen_date > t.first_systemic_date
),

newest as (
    select
        *,
        max(specimen_date) over (partition by patient_key, tumour_id, sample_kind) as newest_date
    from later
)

select
    patient_key,
    tumour_id,
    sample_kind,
    newest_date as specimen_date,
    status_before,
    max(result) as status_after,
    case
        when max(result) = status_before then 'unchanged'
        when max(result) = 'positive' then 'gain'
        else 'loss'
    end as change
from newest
where specimen_date = newest_date
group by
    patient_key,
    tumour_id,
    sample_kind,
    newest_date,
    status_before;

-- fct_awaited_days: the days with a HER2-targeted drug, by setting, of patients with a sample that IHC left open (2+
-- or none) and that ISH then did not find positive. Few patients have one: they come first.
create or replace temp table awaited_patients as
select distinct patient_key
from fct_specimens
where coalesce(ihc, '2+') = '2+' and ish_date is not null and result <> 'positive';

create or replace table fct_awaited_days as
select
    d.episode_key,
    d.setting,
    count(distinct d.dose_date) as her2_days
from fct_doses as d
inner join awaited_patients as a on d.patient_key = a.patient_key
inner join ingredients as i on d.ingredient = i.ingredient
where i.is_her2 and not i.outside_guideline
group by
    d.episode_key,
    d.setting;
