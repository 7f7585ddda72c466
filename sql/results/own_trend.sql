-- own_trend: judged cases of each site by rule and year of decision, unsuppressed: for the site's private page alone.
select
    coalesce(site_id, '(not recorded)') as site_id,
    rule_id,
    cast(extract(year from decision_date) as varchar) as year,
    count(*) filter (where verdict = 'conformant') as met,
    count(*) as judged
from findings
where verdict in ('conformant', 'non_conformant') and decision_date is not null
group by
    site_id,
    rule_id,
    extract(year from decision_date)
