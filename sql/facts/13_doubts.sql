-- fct_doubts: one row a record that could hold what a rule finds missing: quarantined, undated, not linked to one of
-- several tumours or to one of another episode than its date, an operation without its kind, what treats or shows a
-- recurrence before any recorded spread, a dose of zero far from any that was given or with a reason for stopping, a
-- report on what was left after treatment where none is recorded before, or naming a drug or topic that the vocabulary
-- does not know. It only ever prevents a failure.
-- episode_key: the episode in doubt; null where it is the whole patient.

-- drugs_elsewhere: the days on which a dose that names a tumour of one episode would belong to another by its date,
-- from the diagnosis of the other one on.
create or replace temp table drugs_elsewhere as
select
    p.patient_id,
    v.tumour_id,
    p.patient_key,
    p.episode_key,
    greatest(p.from_date, coalesce(e.diagnosis_date, p.from_date)) as from_date,
    p.through_date
from dose_places as p
inner join dose_tumours as v on p.patient_key = v.patient_key and p.episode_key <> v.episode_key
inner join episode_starts as e on p.episode_key = e.episode_key;

create or replace table fct_doubts as
with vague_drugs as (
    select
        d.drug,
        d.ingredient
    from drug_names as d
    left join ingredients as i on d.ingredient = i.ingredient
    where d.ingredient is null or i.is_her2 or i.is_cytotoxic or i.is_endocrine
),

-- Where samples differ, the day of any systemic drug may tell which of them came before treatment.
tumours_differing as (
    select
        patient_key,
        tumour_id
    from fct_specimens
    group by
        patient_key,
        tumour_id
    having count(distinct result) > 1
),

differing_samples as (
    select distinct patient_key
    from tumours_differing
),

several_tumours as (
    select distinct patient_key
    from stg_tumours
    where tumour_count > 1
),

operated_first as (
    select distinct patient_key
    from fct_tumours
    where pathway = 'surgery-first'
),

several_cancers as (
    select patient_key
    from fct_tumours
    where invasive
    group by patient_key
    having count(*) > 1
)

select
    c.patient_key,
    q.table_name,
    q.row_number,
    q.column_name,
    'quarantined-row' as reason,
    cast(null as varchar) as ingredient,
    cast(null as date) as start_date,
    cast(null as date) as end_date,
    cast(null as integer) as episode_key
from quarantine as q
inner join cases as c on q.patient_id = c.patient_id
union all
select
    t.patient_key,
    q.table_name,
    q.row_number,
    q.column_name,
    'quarantined-row' as reason,
    cast(null as varchar) as ingredient,
    cast(null as date) as start_date,
    cast(null as date) as end_date,
    cast(null as integer) as episode_key
from quarantine as q
inner join stg_tumours as t on q.tumour_id = t.tumour_id
union all
select
    c.patient_key,
    'exceptions' as table_name,
    e.row_number,
    case when e.reason is null then 'reason' else 'topic' end as column_name,
    'unrecognised-topic' as reason,
    cast(null as varchar) as ingredient,
    cast(null as date) as start_date,
    cast(null as date) as end_date,
    cast(null as integer) as episode_key
from exceptions as e
inner join cases as c on e.patient_id = c.patient_id
where e.reason is null or e.topic is null
union all
select
    c.patient_key,
    'treatments' as table_name,
    t.row_number,
    'stop_reason' as column_name,
    'unrecognised-reason' as reason,
    d.ingredient,
    cast(null as date) as start_date,
    cast(null as date) as end_date,
    cast(null as integer) as episode_key
from told_treatments as t
inner join cases as c on t.patient_id = c.patient_id
inner join drug_names as d on t.drug = d.drug
where t.stop_reason not in ('completed', 'toxicity', 'progression', 'patient-refusal', 'death', 'other')
union all
select
    c.patient_key,
    'treatments' as table_name,
    t.row_number,
    'start_date' as column_name,
    'undated-row' as reason,
    -- A trial, or a stop for progression or death, may excuse whatever the drug; and what was given before surgery
    -- shows that surgery did not come first.
    case
        when
            s.patient_key is null
            and (o.patient_key is null or t.intent is distinct from 'neoadjuvant')
            and not coalesce(t.trial, false)
            and coalesce(t.stop_reason not in ('progression', 'death'), true)
            then v.ingredient
    end as ingredient,
    cast(null as date) as start_date,
    cast(null as date) as end_date,
    cast(null as integer) as episode_key
from told_treatments as t
inner join cases as c on t.patient_id = c.patient_id
left join vague_drugs as v on t.drug = v.drug
left join differing_samples as s on c.patient_key = s.patient_key
left join operated_first as o on c.patient_key = o.patient_key
where t.start_date is null and (t.drug is null or v.drug is not null or t.trial)
union all
select
    c.patient_key,
    'treatments' as table_name,
    t.row_number,
    'drug' as column_name,
    'unrecognised-drug' as reason,
    cast(null as varchar) as ingredient,
    coalesce(m.start_date, t.start_date) as start_date,
    coalesce(
        m.end_date,
        t.end_date,
        -- A course without an end may go on, and so may a trial whose drug nobody can name.
        case when t.record_kind = 'course' or t.trial then date '9999-12-31' end,
        m.start_date,
        t.start_date
    ) as end_date,
    cast(null as integer) as episode_key
from treatments as t
inner join cases as c on t.patient_id = c.patient_id
left join dose_days_moved as m on c.patient_key = m.patient_key and t.row_number = m.row_number
where
    t.start_date is not null
    and (t.drug is null or t.drug in (
        select u.drug from drug_names as u
        where u.ingredient is null
    ))
union all
select
    c.patient_key,
    'surgeries' as table_name,
    s.row_number,
    'surgery_date' as column_name,
    'undated-row' as reason,
    cast(null as varchar) as ingredient,
    cast(null as date) as start_date,
    cast(null as date) as end_date,
    cast(null as integer) as episode_key
from surgeries as s
inner join cases as c on s.patient_id = c.patient_id
where s.surgery_date is null
union all
select
    c.patient_key,
    'cardiac_assessments' as table_name,
    a.row_number,
    'assessment_date' as column_name,
    'undated-row' as reason,
    cast(null as varchar) as ingredient,
    cast(null as date) as start_date,
    cast(null as date) as end_date,
    cast(null as integer) as episode_key
from cardiac_assessments as a
inner join cases as c on a.patient_id = c.patient_id
where a.assessment_date is null
union all
select
    r.patient_key,
    'radiotherapy' as table_name,
    r.row_number,
    'start_date' as column_name,
    'undated-row' as reason,
    cast(null as varchar) as ingredient,
    cast(null as date) as start_date,
    cast(null as date) as end_date,
    cast(null as integer) as episode_key
from stg_radiotherapy as r
where r.start_date is null
union all
select
    r.patient_key,
    'radiotherapy' as table_name,
    r.row_number,
    'tumour_id' as column_name,
    'unlinked-row' as reason,
    cast(null as varchar) as ingredient,
    cast(null as date) as start_date,
    cast(null as date) as end_date,
    cast(null as integer) as episode_key
from stg_radiotherapy as r
inner join several_tumours as m on r.patient_key = m.patient_key
where r.tumour_id is null
union all
select
    c.patient_key,
    'events' as table_name,
    e.row_number,
    case when e.event_date is null then 'event_date' else 'event' end as column_name,
    case when e.event_date is null then 'undated-row' else 'unspecified-event' end as reason,
    cast(null as varchar) as ingredient,
    cast(null as date) as start_date,
    cast(null as date) as end_date,
    cast(null as integer) as episode_key
from events as e
inner join cases as c on e.patient_id = c.patient_id
where e.event_date is null or e.event is null
union all
-- Of several cancers which came first, and so what was given for which, is not told without the days of all of them.
select
    t.patient_key,
    'tumours' as table_name,
    r.row_number,
    'diagnosis_date' as column_name,
    'undated-row' as reason,
    cast(null as varchar) as ingredient,
    cast(null as date) as start_date,
    cast(null as date) as end_date,
    cast(null as integer) as episode_key
from fct_tumours as t
inner join tumours as r on t.tumour_id = r.tumour_id
inner join several_cancers as m on t.patient_key = m.patient_key
where t.invasive and t.diagnosis_date is null
union all
select
    t.patient_key,
    'receptor_tests' as table_name,
    t.row_number,
    'specimen_date' as column_name,
    'undated-row' as reason,
    cast(null as varchar) as ingredient,
    cast(null as date) as start_date,
    cast(null as date) as end_date,
    cast(null as integer) as episode_key
from stg_receptor_tests as t
where t.specimen_date is null
union all
select
    t.patient_key,
    'receptor_tests' as table_name,
    t.row_number,
    'tumour_id' as column_name,
    'unlinked-row' as reason,
    cast(null as varchar) as ingredient,
    cast(null as date) as start_date,
    cast(null as date) as end_date,
    cast(null as integer) as episode_key
from stg_receptor_tests as t
inner join several_tumours as m on t.patient_key = m.patient_key
where t.tumour_id is null
union all
select
    s.patient_key,
    'surgeries' as table_name,
    s.row_number,
    'tumour_id' as column_name,
    'unlinked-row' as reason,
    cast(null as varchar) as ingredient,
    cast(null as date) as start_date,
    cast(null as date) as end_date,
    cast(null as integer) as episode_key
from stg_surgeries as s
inner join several_tumours as m on s.patient_key = m.patient_key
where s.tumour_id is null
union all
select
    x.patient_key,
    'exceptions' as table_name,
    x.row_number,
    'topic' as column_name,
    'unrecognised-topic' as reason,
    cast(null as varchar) as ingredient,
    cast(null as date) as start_date,
    cast(null as date) as end_date,
    cast(null as integer) as episode_key
from stg_exceptions as x
where x.topic_kind = 'unrecognised'
union all
select
    s.patient_key,
    'surgeries' as table_name,
    s.row_number,
    'procedure' as column_name,
    'unspecified-surgery' as reason,
    cast(null as varchar) as ingredient,
    cast(null as date) as start_date,
    cast(null as date) as end_date,
    cast(null as integer) as episode_key
from stg_surgeries as s
where s.unclear = 'procedure'
union all
select
    e.patient_key,
    'treatments' as table_name,
    t.row_number,
    'tumour_id' as column_name,
    'names-another-tumour' as reason,
    d.ingredient,
    coalesce(m.start_date, t.start_date) as start_date,
    coalesce(
        m.end_date,
        t.end_date,
        case when t.record_kind = 'course' or t.trial then date '9999-12-31' end,
        m.start_date,
        t.start_date
    ) as end_date,
    e.episode_key
from treatments as t
inner join drugs_elsewhere as e on t.patient_id = e.patient_id and t.tumour_id = e.tumour_id
inner join dose_drugs as d on t.drug = d.drug
left join dose_days_moved as m on e.patient_key = m.patient_key and t.row_number = m.row_number
where
    coalesce(m.start_date, t.start_date) <= e.through_date
    and coalesce(m.end_date, t.end_date, m.start_date, t.start_date) >= e.from_date
union all
select
    z.patient_key,
    'treatments' as table_name,
    z.row_number,
    'dose' as column_name,
    'zero-dose' as reason,
    z.ingredient,
    z.dose_date as start_date,
    z.dose_date as end_date,
    cast(null as integer) as episode_key
from fct_zero_doses as z
where z.is_alone or z.stop_reason <> 'completed'
union all
-- The disease must have come back: its day is not on record.
select
    t.patient_key,
    'treatments' as table_name,
    t.row_number,
    'intent' as column_name,
    'palliative-treatment' as reason,
    cast(null as varchar) as ingredient,
    t.start_date,
    t.start_date as end_date,
    t.episode_key
from placed_treatments as t
where
    t.intent = 'palliative'
    and t.drug in (select d.drug from dose_drugs as d)
    and t.start_date < coalesce(t.metastatic_date, date '9999-12-31')
union all
-- A sample or an operation of a metastasis, or a drug stopped for progression or death: the same.
select
    patient_key,
    table_name,
    row_number,
    column_name,
    'unrecorded-recurrence' as reason,
    cast(null as varchar) as ingredient,
    trace_date as start_date,
    trace_date as end_date,
    episode_key
from fct_recurrence_traces
union all
select
    t.patient_key,
    'treatments' as table_name,
    t.row_number,
    'stop_reason' as column_name,
    'unrecorded-recurrence' as reason,
    cast(null as varchar) as ingredient,
    coalesce(t.end_date, t.start_date) as start_date,
    coalesce(t.end_date, t.start_date) as end_date,
    t.episode_key
from placed_treatments as t
where
    t.stop_reason in ('progression', 'death')
    and t.drug in (select d.drug from dose_drugs as d)
    and coalesce(t.end_date, t.start_date) < coalesce(t.metastatic_date, date '9999-12-31')
union all
-- The report was written after treatment that is not on record: any drug may have been given before the operation.
select
    s.patient_key,
    'surgeries' as table_name,
    s.row_number,
    case
        when s.yp_t is not null then 'yp_t'
        when s.yp_n is not null then 'yp_n'
        when s.yp_unreadable or s.yp_by_prefix then 'yp_t'
        else 'rcb_class'
    end as column_name,
    'unrecorded-neoadjuvant' as reason,
    cast(null as varchar) as ingredient,
    coalesce(t.diagnosis_date, s.surgery_date) as start_date,
    s.surgery_date as end_date,
    t.episode_key
from stg_surgeries as s
inner join fct_tumours as t on s.patient_key = t.patient_key and s.tumour_id = t.tumour_id
where
    t.pathway = 'surgery-first'
    and s.surgery_date <= coalesce(t.first_curative_date, date '9999-12-31')
    and (s.yp_unreadable or s.yp_by_prefix or coalesce(s.yp_t, s.yp_n, s.rcb_class) is not null);
