-- finding_changes: what became of the findings of the audit before, in this one. Empty for the first audit in a folder.
create table finding_changes as
with current_findings as (
    select *
    from findings
    where verdict <> 'not_applicable'
)

select
    coalesce(n.rule_id, e.rule_id) as rule_id,
    coalesce(n.subject_id, e.subject_id) as subject_id,
    coalesce(n.patient_id, e.patient_id) as patient_id,
    coalesce(n.site_id, e.site_id) as site_id,
    e.verdict as verdict_before,
    e.reason as reason_before,
    n.verdict,
    n.reason,
    case
        when e.rule_id is null then 'new'
        when n.rule_id is null then 'gone'
        when e.verdict = 'non_conformant' and n.verdict <> 'non_conformant' then 'resolved'
        when e.verdict <> n.verdict or coalesce(e.reason, '') <> coalesce(n.reason, '') then 'changed'
        else 'details'
    end as kind
from earlier_findings as e
full join current_findings as n on e.rule_id = n.rule_id and e.subject_id = n.subject_id
where
    $run_number > 1
    and (
        e.rule_id is null
        or n.rule_id is null
        or e.patient_id is distinct from n.patient_id
        or e.tumour_id is distinct from n.tumour_id
        or e.site_id is distinct from n.site_id
        or e.decision_date is distinct from n.decision_date
        or e.due_date is distinct from n.due_date
        or e.verdict is distinct from n.verdict
        or e.reason is distinct from n.reason
        or e.missing is distinct from n.missing
        or e.margin_days is distinct from n.margin_days
        or e.evidence is distinct from n.evidence
    );

insert into past_findings
select
    e.*,
    coalesce(s.from_run, 1) as from_run,
    $run_number - 1 as until_run
from earlier_findings as e
inner join finding_changes as c on e.rule_id = c.rule_id and e.subject_id = c.subject_id
left join finding_since as s on e.rule_id = s.rule_id and e.subject_id = s.subject_id;

delete from finding_since as s
using finding_changes as c
where s.rule_id = c.rule_id and s.subject_id = c.subject_id;

insert into finding_since
select
    rule_id,
    subject_id,
    $run_number
from finding_changes
where kind <> 'gone';

insert into run_rates
select
    $run_number,
    rule_id,
    level,
    group_id,
    group_name,
    not_evaluable,
    conformant,
    excepted,
    adjudicated,
    pending,
    non_conformant
from rates;

-- finding_history: every finding that any run in this folder gave, with the runs that gave it.
create view finding_history as
select
    f.*,
    coalesce(s.from_run, 1) as from_run,
    cast(null as integer) as until_run
from findings as f
left join finding_since as s on f.rule_id = s.rule_id and f.subject_id = s.subject_id
where f.verdict <> 'not_applicable'
union all
select *
from past_findings;
