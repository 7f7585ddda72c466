-- responses: how early HER2-positive tumours responded to HER2-directed treatment before surgery, by hormone receptors
-- and by adjacent DCIS. Counts of tumours on the middle placement of imprecise dates. Aggregate.
create or replace table responses as
with operated as (
    select
        t.response,
        g.receptors,
        g.adjacent_dcis
    from fct_tumours as t
    inner join cases as c on t.patient_key = c.patient_key
    inner join fct_first_doses as d on t.episode_key = d.episode_key
    inner join fct_strata as g on t.patient_key = g.patient_key and t.tumour_id = g.tumour_id
    where
        c.placement = 'middle'
        and t.is_index
        and t.outside_early_her2 is null
        and t.pathway = 'neoadjuvant'
        and d.first_antibody_date < t.first_surgery_date
),

grouped as (
    select
        'all' as level,
        'all' as group_id,
        response
    from operated
    union all
    select
        'receptors' as level,
        receptors as group_id,
        response
    from operated
    union all
    select
        'adjacent_dcis' as level,
        adjacent_dcis as group_id,
        response
    from operated
)

select
    level,
    group_id,
    count(*) filter (where response = 'pcr') as pcr,
    count(*) filter (where response = 'residual') as residual,
    count(*) filter (where response = 'unknown') as unknown
from grouped
group by
    level,
    group_id;
