-- The findings in the population of a rule, with what one may want to group or adjust them by. Patient level.
-- year, period: of decision; the period as the report counts. The tumour's columns are those of the middle placement of
-- imprecise dates; age in full years at diagnosis, the least that an imprecise birth date allows;
-- age_group, stage, adjacent_dcis, anthracycline, era: at the decision, as the report's strata.
with tumours_middle as (
    select u.*
    from fct_tumours as u
    inner join cases as c on u.patient_key = c.patient_key
    where c.placement = 'middle'
)

select
    f.rule_id,
    f.subject_id,
    f.patient_id,
    f.tumour_id,
    f.verdict,
    f.reason,
    f.margin_days,
    f.decision_date,
    f.site_id,
    s.name as site,
    s.region,
    s.peer_group,
    cast(extract(year from f.decision_date) as integer) as year,
    cast(extract(year from f.decision_date) as varchar) || p.part as period,
    t.pathway,
    t.m_status,
    t.her2_basis,
    t.t,
    t.n,
    t.node_positive,
    t.response,
    cast(t.age_at_least as integer) as age,
    h.hr_status,
    g.age as age_group,
    g.stage,
    g.adjacent_dcis,
    g.anthracycline,
    g.era
from findings as f
left join period_parts as p on extract(month from f.decision_date) = p.month
left join case_strata as g on f.rule_id = g.rule_id and f.subject_id = g.subject_id
left join sites as s on f.site_id = s.site_id
left join tumours_middle as t on f.tumour_id = t.tumour_id
left join fct_hormone_receptors as h on t.patient_key = h.patient_key and t.tumour_id = h.tumour_id
where f.verdict <> 'not_applicable'
