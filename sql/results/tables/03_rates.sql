-- rates: verdict counts of each rule for the registry, each site and each reporting period of decision; the level of
-- these is the kind of period.
create or replace table rates as
with listed as (
    select
        *,
        coalesce(site_id, '(not recorded)') as site,
        coalesce(period, '(not recorded)') as period_told
    from judgement_counts
    where is_finding
),

grouped as (
    select
        rule_id,
        verdict,
        reason,
        'registry' as level,
        '' as group_id,
        'All sites' as group_name,
        n
    from listed
    union all
    select
        f.rule_id,
        f.verdict,
        f.reason,
        'site' as level,
        f.site as group_id,
        coalesce(s.name, f.site) as group_name,
        f.n
    from listed as f
    left join sites as s on f.site_id = s.site_id
    union all
    select
        rule_id,
        verdict,
        reason,
        $period as level,
        period_told as group_id,
        period_told as group_name,
        n
    from listed
)

select
    rule_id,
    level,
    group_id,
    group_name,
    cast(sum(case when verdict = 'not_applicable' then n else 0 end) as bigint) as not_applicable,
    cast(sum(case when verdict = 'not_evaluable' then n else 0 end) as bigint) as not_evaluable,
    cast(sum(case when verdict = 'conformant' then n else 0 end) as bigint) as conformant,
    cast(sum(case when verdict = 'excepted' then n else 0 end) as bigint) as excepted,
    cast(sum(case when verdict = 'excepted' and reason = 'adjudicated' then n else 0 end) as bigint) as adjudicated,
    cast(sum(case when verdict = 'pending' then n else 0 end) as bigint) as pending,
    cast(sum(case when verdict = 'pending' and reason = 'lost-to-follow-up' then n else 0 end) as bigint) as lost,
    cast(sum(case when verdict = 'non_conformant' then n else 0 end) as bigint) as non_conformant
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
    cast(sum(n) as bigint) as n
from judgement_counts
where is_finding
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
