-- registry_facts: what the registry holds, before any rule: HER2 evidence, gain and loss of HER2 between samples,
-- HER2-targeted drugs, trastuzumab durations.
-- Counted on the middle placement of imprecise dates, so that every patient counts once.
create or replace table registry_facts as
with people as (
    select
        patient_key,
        patient_id
    from cases
    where placement = 'middle'
),

her2_people as (
    select
        p.patient_id,
        bool_or(h.her2_status = 'positive') as positive,
        bool_or(h.her2_status = 'equivocal') as equivocal,
        bool_or(h.her2_status = 'negative') as negative,
        bool_or(h.ihc_ish_discordant) as discordant
    from people as p
    inner join fct_her2_status as h on p.patient_key = h.patient_key
    group by p.patient_id
),

her2_names as (
    select
        d.drug,
        bool_or(d.via in ('misspelling', 'regimen')) as is_indirect
    from drug_names as d
    inner join ingredients as i on d.ingredient = i.ingredient
    where i.is_her2
    group by d.drug
),

drug_rows as (
    select
        t.patient_id,
        n.is_indirect
    from treatments as t
    inner join her2_names as n on t.drug = n.drug
),

drug_people as (
    select
        patient_id,
        bool_or(not is_indirect) as by_name
    from drug_rows
    group by patient_id
),

treated_people as (
    select distinct patient_id
    from treatments
    where drug is not null
),

durations as (
    select distinct
        t.row_number,
        date_diff('day', t.start_date, t.end_date) as days
    from treatments as t
    inner join drug_names as d on t.drug = d.drug
    where
        d.ingredient = 'trastuzumab'
        and d.via not in ('misspelling', 'regimen')
        and t.end_date is not null
        and t.record_kind = 'course'
),

read as (
    select
        s.patient_key,
        coalesce(s.ihc, 'not recorded') as ihc,
        case
            when s.ish_positive then 'amplified'
            when s.ish_negative then 'not amplified'
            when s.result = 'equivocal' and s.ish_date is not null then 'equivocal'
            else 'not recorded'
        end as ish
    from fct_specimens as s
    inner join people as p on s.patient_key = p.patient_key
),

crossed as (
    select
        ihc,
        ish,
        count(distinct patient_key) as n
    from read
    group by
        ihc,
        ish
),

her2_changes as (
    select
        case c.sample_kind
            when 'metastasis' then 'HER2 of the newest metastasis against the result before treatment (tumours)'
            else 'HER2 of the newest breast or node sample after treatment began against the one before it (tumours)'
        end as topic,
        case c.sample_kind when 'metastasis' then 1 else 0 end as kind,
        c.status_before,
        c.change
    from fct_her2_changes as c
    inner join people as p on c.patient_key = p.patient_key
),

-- A total comes right before its parts, so that the page knows them as such.
her2_discordance as (
    select
        topic,
        40 + 10 * kind as position,
        'sampled again' as label,
        count(*) as n
    from her2_changes
    group by
        topic,
        kind
    union all
    select
        h.topic,
        40 + 10 * h.kind + l.step,
        l.label,
        count(*) filter (where h.status_before = l.status_before and h.change = l.change)
    from her2_changes as h
    cross join (
        values
        (1, 'still positive', 'positive', 'unchanged'),
        (2, 'loss: positive before, negative now', 'positive', 'loss'),
        (3, 'gain: negative before, positive now', 'negative', 'gain'),
        (4, 'still negative', 'negative', 'unchanged')
    ) as l (step, label, status_before, change)
    group by
        h.topic,
        h.kind,
        l.step,
        l.label
),

listed as (
    select
        1 as position,
        'HER2 status of patients' as topic,
        'HER2-positive' as label,
        count(*) filter (where positive) as n
    from her2_people
    union all
    select
        2,
        'HER2 status of patients',
        'of these with IHC 3+ and ISH not amplified',
        count(*) filter (where positive and discordant)
    from her2_people
    union all
    select
        3,
        'HER2 status of patients',
        'HER2-positive without those',
        count(*) filter (where positive and not discordant)
    from her2_people
    union all
    select
        4,
        'HER2 status of patients',
        'equivocal',
        count(*) filter (where equivocal and not positive)
    from her2_people
    union all
    select
        5,
        'HER2 status of patients',
        'HER2-negative',
        count(*) filter (where negative and not positive and not equivocal)
    from her2_people
    union all
    select
        6,
        'HER2 status of patients',
        'not known',
        count(*) filter (where not positive and not equivocal and not negative)
    from her2_people
    union all
    select
        20,
        'HER2-targeted drugs (misspellings and regimen names aside)',
        'treatment rows',
        count(*) filter (where not is_indirect)
    from drug_rows
    union all
    select
        21,
        'HER2-targeted drugs (misspellings and regimen names aside)',
        'patients',
        count(*) filter (where by_name)
    from drug_people
    union all
    select
        25,
        'HER2-positive patients treated with drugs',
        'with any drug row',
        count(*)
    from treated_people as d
    inner join her2_people as h on d.patient_id = h.patient_id
    where h.positive
    union all
    select
        26,
        'HER2-positive patients treated with drugs',
        'with a HER2-targeted drug',
        count(*)
    from drug_people as d
    inner join her2_people as h on d.patient_id = h.patient_id
    where h.positive
    union all
    select
        31,
        'Trastuzumab courses with both ends recorded (misspellings and regimen names aside)',
        'shorter than ' || cast($duration_short_days as varchar) || ' days',
        count(*) filter (where days < $duration_short_days)
    from durations
    union all
    select
        32,
        'Trastuzumab courses with both ends recorded (misspellings and regimen names aside)',
        'from ' || cast($duration_short_days as varchar) || ' to ' || cast($duration_year_days as varchar) || ' days',
        count(*) filter (where days between $duration_short_days and $duration_year_days)
    from durations
    union all
    select
        position,
        topic,
        label,
        n
    from her2_discordance
)

select
    cast(position as integer) as position,
    topic,
    label,
    n
from listed
union all
select
    cast(100 + row_number() over (order by ihc, ish) as integer) as position,
    'Patients by HER2 assay (IHC and ISH of one specimen)' as topic,
    'IHC ' || ihc || ', ISH ' || ish as label,
    n
from crossed;

create or replace table unrecognised_drugs as
select
    t.drug,
    count(*) as rows,
    count(distinct t.patient_id) as patients
from treatments as t
where
    t.drug in (
        select d.drug from drug_names as d
        where d.ingredient is null
    )
group by t.drug;

create or replace table unreadable_stages as
select
    column_name,
    text,
    rows
from stage_texts
where unreadable;
