-- own_trend: judged cases of each site by rule and reporting period of decision, unsuppressed: for the site's private
-- page alone.
select
    coalesce(f.site_id, '(not recorded)') as site_id,
    f.rule_id,
    cast(extract(year from f.decision_date) as varchar) || p.part as period,
    count(*) filter (where f.verdict = 'conformant') as met,
    count(*) as judged
from findings as f
inner join period_parts as p on extract(month from f.decision_date) = p.month
where f.verdict in ('conformant', 'non_conformant')
group by
    f.site_id,
    f.rule_id,
    extract(year from f.decision_date),
    p.part
