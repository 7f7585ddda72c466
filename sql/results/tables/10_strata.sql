-- stratum_limits: what parts the ages and the eras, in one row.
create or replace table stratum_limits as
select
    $stratum_middle_age as middle_age,
    $stratum_older_age as older_age,
    $era_pertuzumab as pertuzumab,
    $era_emtansine as emtansine,
    $era_deruxtecan as deruxtecan;

-- case_strata: one row a case in a rule's population, with what reports tell it apart by: age at the decision, hormone
-- receptors, stage, adjacent DCIS, an anthracycline on record up to the decision, and the drugs that had come by then.
-- An imprecise date of birth counts from its first day. Patient level.
create or replace view case_strata as
with described as (
    select
        j.rule_id,
        j.subject_id,
        j.verdict,
        j.decision_date,
        date_diff('day', p.birth_earliest, j.decision_date) / 365.25 as age,
        s.stage,
        s.adjacent_dcis,
        s.receptors,
        s.first_anthracycline_date
    from judgements as j
    left join stg_patients as p on j.patient_key = p.patient_key
    left join fct_strata as s on j.patient_key = s.patient_key and j.tumour_id = s.tumour_id
    where j.verdict <> 'not_applicable'
)

select
    d.rule_id,
    d.subject_id,
    d.verdict,
    case
        when d.age < l.middle_age then 'younger'
        when d.age < l.older_age then 'middle'
        when d.age is not null then 'older'
        else 'unknown'
    end as age,
    coalesce(d.receptors, 'unknown') as receptors,
    coalesce(d.stage, 'unknown') as stage,
    coalesce(d.adjacent_dcis, 'unknown') as adjacent_dcis,
    case when d.first_anthracycline_date <= d.decision_date then 'given' else 'none' end as anthracycline,
    case
        when d.decision_date >= l.deruxtecan then 'deruxtecan'
        when d.decision_date >= l.emtansine then 'emtansine'
        when d.decision_date >= l.pertuzumab then 'pertuzumab'
        when d.decision_date is not null then 'trastuzumab'
        else 'unknown'
    end as era
from described as d
cross join stratum_limits as l;

-- strata: verdict counts of each rule by one stratum at a time.
create or replace table strata as
with counted as (
    select
        rule_id,
        verdict,
        age,
        receptors,
        stage,
        adjacent_dcis,
        anthracycline,
        era,
        count(*) as n
    from case_strata
    group by all
),

grouped as (
    select
        rule_id,
        verdict,
        'age' as level,
        age as group_id,
        n
    from counted
    union all
    select
        rule_id,
        verdict,
        'receptors' as level,
        receptors as group_id,
        n
    from counted
    union all
    select
        rule_id,
        verdict,
        'stage' as level,
        stage as group_id,
        n
    from counted
    union all
    select
        rule_id,
        verdict,
        'adjacent_dcis' as level,
        adjacent_dcis as group_id,
        n
    from counted
    union all
    select
        rule_id,
        verdict,
        'anthracycline' as level,
        anthracycline as group_id,
        n
    from counted
    union all
    select
        rule_id,
        verdict,
        'era' as level,
        era as group_id,
        n
    from counted
)

select
    rule_id,
    level,
    group_id,
    cast(sum(case when verdict = 'not_evaluable' then n else 0 end) as bigint) as not_evaluable,
    cast(sum(case when verdict = 'conformant' then n else 0 end) as bigint) as conformant,
    cast(sum(case when verdict = 'excepted' then n else 0 end) as bigint) as excepted,
    cast(sum(case when verdict = 'pending' then n else 0 end) as bigint) as pending,
    cast(sum(case when verdict = 'non_conformant' then n else 0 end) as bigint) as non_conformant
from grouped
group by
    rule_id,
    level,
    group_id;

-- margins: how many days inside (+) or outside (-) the deciding window the judged cases of each rule lie.
-- waiting: nothing had been recorded by the end of observation, so that the margin tells how long that was awaited.
create or replace table margins as
select
    j.rule_id,
    j.verdict,
    j.margin_days,
    j.verdict = 'non_conformant'
    and coalesce(j.margin_days = date_diff('day', p.observable_through, j.due_date), false) as waiting,
    count(*) as n
from judgements as j
left join stg_patients as p on j.patient_key = p.patient_key
where j.verdict in ('conformant', 'non_conformant')
group by
    j.rule_id,
    j.verdict,
    j.margin_days,
    waiting;
