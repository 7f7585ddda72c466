-- rates: verdict counts of each rule for the registry, each site and each year of decision.
create or replace table rates as
with grouped as (
    select
        rule_id,
        verdict,
        reason,
        'registry' as level,
        '' as group_id,
        'All sites' as group_name
    from findings
    union all
    select
        f.rule_id,
        f.verdict,
        f.reason,
        'site' as level,
        coalesce(f.site_id, '(not recorded)') as group_id,
        coalesce(s.name, f.site_id, '(not recorded)') as group_name
    from findings as f
    left join sites as s on f.site_id = s.site_id
    union all
    select
        rule_id,
        verdict,
        reason,
        'year' as level,
        coalesce(cast(extract(year from decision_date) as varchar), '(not recorded)') as group_id,
        coalesce(cast(extract(year from decision_date) as varchar), '(not recorded)') as group_name
    from findings
)

select
    rule_id,
    level,
    group_id,
    group_name,
    count(*) filter (where verdict = 'not_applicable') as not_applicable,
    count(*) filter (where verdict = 'not_evaluable') as not_evaluable,
    count(*) filter (where verdict = 'conformant') as conformant,
    count(*) filter (where verdict = 'excepted') as excepted,
    count(*) filter (where verdict = 'excepted' and reason = 'adjudicated') as adjudicated,
    count(*) filter (where verdict = 'pending') as pending,
    count(*) filter (where verdict = 'pending' and reason = 'lost-to-follow-up') as lost,
    count(*) filter (where verdict = 'non_conformant') as non_conformant
from grouped
group by
    rule_id,
    level,
    group_id,
    group_name;

create or replace table verdict_reasons as
select
    rule_id,
    verdict,
    reason,
    count(*) as n
from findings
group by
    rule_id,
    verdict,
    reason;

create or replace table exception_reasons as
select
    rule_id,
    reason,
    n
from verdict_reasons
where verdict = 'excepted';

create or replace table missing_fields as
with named as (
    select
        rule_id,
        unnest(missing) as field
    from findings
    where verdict = 'not_evaluable'
)

select
    rule_id,
    field,
    count(*) as n
from named
group by
    rule_id,
    field;
