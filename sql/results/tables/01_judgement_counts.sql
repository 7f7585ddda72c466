-- judgement_counts: how many subjects of each rule have each verdict and reason, by site and reporting period of
-- decision, after review. What the other tables count, they count from here: the judgements are read once.
-- is_finding: it stands among the findings.
create or replace temp table judgement_counts as
with reviewed as (
    select
        j.rule_id,
        j.site_id,
        extract(year from j.decision_date) as year,
        p.part,
        case when a.rule_id is null then j.verdict else 'excepted' end as verdict,
        case when a.rule_id is null then j.reason else 'adjudicated' end as reason,
        j.verdict <> 'not_applicable'
        or j.reason not in ('in-situ', 'her2-negative', 'no-her2-therapy') as is_finding
    from judgements as j
    left join applied_answers as a on j.rule_id = a.rule_id and j.subject_id = a.subject_id
    left join period_parts as p on extract(month from j.decision_date) = p.month
)

select
    rule_id,
    site_id,
    cast(year as varchar) || part as period,
    verdict,
    reason,
    is_finding,
    count(*) as n
from reviewed
group by
    rule_id,
    site_id,
    year,
    part,
    verdict,
    reason,
    is_finding;
