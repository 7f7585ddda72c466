-- How long after surgery T-DM1 began: one row a tumour to which it was recommended, that is HER2-positive, M0, with
-- residual disease after neoadjuvant trastuzumab and a taxane, operated on from $in_force_from on (before, nobody could
-- be expected to begin it). On the middle placement of imprecise dates. Patient level.
-- days: from the last definitive operation, at least 1. ended_by: begun, recurrence or death, whichever came first;
-- null where none was seen by the last day that can be observed.
with operated as (
    select
        c.patient_id,
        t.tumour_id,
        t.site_id,
        t.pathway,
        t.episode_key,
        t.last_surgery_date as start_date,
        t.recurrence_date,
        p.death_date,
        p.observable_through
    from fct_tumours as t
    inner join cases as c on t.patient_key = c.patient_key
    inner join stg_patients as p on t.patient_key = p.patient_key
    inner join fct_first_doses as f on t.episode_key = f.episode_key
    where
        c.placement = 'middle'
        and t.outside_early_her2 is null
        and t.pathway = 'neoadjuvant'
        and t.response = 'residual'
        and f.first_trastuzumab_date < t.first_surgery_date
        and f.first_taxane_date < t.first_surgery_date
        and t.last_surgery_date >= $in_force_from
        and t.last_surgery_date < p.observable_through
),

begun as (
    select
        o.tumour_id,
        o.patient_id,
        min(d.dose_date) as begun_date
    from operated as o
    inner join fct_doses as d on o.episode_key = d.episode_key
    where d.ingredient = 'trastuzumab-emtansine' and d.dose_date > o.start_date
    group by
        o.tumour_id,
        o.patient_id
),

first_of_all as (
    select
        o.*,
        b.begun_date,
        least(b.begun_date, o.recurrence_date, o.death_date) as ended_date
    from operated as o
    left join begun as b on o.tumour_id = b.tumour_id and o.patient_id = b.patient_id
)

select
    patient_id,
    tumour_id,
    site_id,
    pathway,
    start_date,
    begun_date,
    case
        when ended_date > observable_through or ended_date is null then null
        when ended_date = begun_date then 'begun'
        when ended_date = recurrence_date then 'recurrence'
        else 'death'
    end as ended_by,
    greatest(1, date_diff('day', start_date, least(observable_through, ended_date))) as days
from first_of_all
order by
    patient_id,
    tumour_id
