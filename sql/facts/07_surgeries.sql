-- fct_surgeries: one row a tumour with a definitive operation before any recurrence: the first one, the last one that
-- still belongs to clearing the primary, and what all of them together found.
-- A conjugate dose after the first operation closes the series: what follows it clears nothing for the decision on it.
-- response: pcr, residual or unknown; it means something only after neoadjuvant treatment. response_lacking: the
-- columns that would settle an unknown one; a statement where what is recorded contradicts itself.
create or replace table fct_surgeries as
with operations as (
    select
        e.episode_key,
        t.patient_key,
        t.tumour_id,
        s.surgery_date,
        s.procedure,
        s.definitive,
        s.yp_t,
        s.yp_n,
        s.yp_unreadable,
        s.rcb_class,
        s.residual_invasive
    from stg_tumours as t
    inner join fct_episodes as e on t.patient_key = e.patient_key and t.tumour_id = e.tumour_id
    inner join fct_spread as p on t.patient_key = p.patient_key and t.tumour_id = p.tumour_id
    inner join stg_surgeries as s on t.patient_key = s.patient_key and t.tumour_id = s.tumour_id
    where
        s.surgery_date is not null
        and (t.diagnosis_date is null or s.surgery_date >= t.diagnosis_date - $before_diagnosis_days)
        and s.surgery_date < coalesce(least(p.metastatic_date, p.recurrence_date), date '9999-12-31')
),

first_ones as (
    select
        patient_key,
        tumour_id,
        min(episode_key) as episode_key,
        min(surgery_date) as first_surgery_date
    from operations
    where definitive
    group by
        patient_key,
        tumour_id
),

conjugates as (
    select
        f.patient_key,
        f.tumour_id,
        min(d.dose_date) as conjugate_date
    from first_ones as f
    inner join fct_doses as d on f.episode_key = d.episode_key
    inner join ingredients as i on d.ingredient = i.ingredient
    where i.is_her2_conjugate and d.dose_date > f.first_surgery_date
    group by
        f.patient_key,
        f.tumour_id
),

series as (
    select
        f.patient_key,
        f.tumour_id,
        f.first_surgery_date,
        max(o.surgery_date) filter (
            where o.definitive and o.surgery_date <= coalesce(c.conjugate_date, o.surgery_date)
        ) as last_surgery_date,
        bool_or(o.yp_t not in ('0', 'is')) as t_residual,
        bool_or(o.yp_n <> '0') as n_residual,
        bool_or(o.yp_unreadable) as yp_unreadable,
        bool_or(o.yp_n = '0(i+)') and not bool_or(o.yp_n in ('1mi', '1', '2', '3')) as isolated_cells_only,
        max(o.rcb_class) filter (where o.rcb_class <> '0') as rcb_residual,
        bool_or(o.rcb_class = '0') as rcb_complete,
        bool_or(o.residual_invasive) as stated_residual
    from first_ones as f
    inner join operations as o on f.patient_key = o.patient_key and f.tumour_id = o.tumour_id
    left join conjugates as c on f.patient_key = c.patient_key and f.tumour_id = c.tumour_id
    where
        o.surgery_date between f.first_surgery_date and f.first_surgery_date + $surgical_series_days
        and (o.definitive or o.procedure in ('axillary', 're_excision'))
    group by
        f.patient_key,
        f.tumour_id,
        f.first_surgery_date
)

select
    patient_key,
    tumour_id,
    first_surgery_date,
    last_surgery_date,
    coalesce(isolated_cells_only, false) as isolated_cells_only,
    case
        when (t_residual or n_residual) and not stated_residual then 'unknown'
        when t_residual or n_residual then 'residual'
        when stated_residual then 'residual'
        when not t_residual and not n_residual then 'pcr'
        when yp_unreadable then 'unknown'
        when rcb_residual is not null and not stated_residual then 'unknown'
        when rcb_residual is not null then 'residual'
        when rcb_complete or not stated_residual then 'pcr'
        else 'unknown'
    end as response,
    case
        when t_residual or n_residual then ['surgeries.residual_invasive']
        when t_residual is null and n_residual is null then ['surgeries.yp_t', 'surgeries.yp_n']
        when t_residual is null then ['surgeries.yp_t']
        else ['surgeries.yp_n']
    end as response_lacking
from series;

-- fct_unclear_surgeries: one row a tumour without a known definitive operation, and with one that may be it.
-- latest_date: the last day it can have been on; null where one of them has no date. missing: what would settle it.
create or replace table fct_unclear_surgeries as
select
    t.patient_key,
    t.tumour_id,
    case when bool_and(s.surgery_date is not null) then max(s.surgery_date) end as latest_date,
    list_sort(list(distinct 'surgeries.' || s.unclear)) as missing
from stg_tumours as t
inner join fct_spread as p on t.patient_key = p.patient_key and t.tumour_id = p.tumour_id
inner join stg_surgeries as s
    on t.patient_key = s.patient_key and t.tumour_id = coalesce(s.tumour_id, t.tumour_id)
left join fct_surgeries as f on t.patient_key = f.patient_key and t.tumour_id = f.tumour_id
where
    f.tumour_id is null
    and s.unclear is not null
    and (
        s.surgery_date is null
        or (
            (t.diagnosis_date is null or s.surgery_date >= t.diagnosis_date - $before_diagnosis_days)
            and s.surgery_date < coalesce(least(p.metastatic_date, p.recurrence_date), date '9999-12-31')
        )
    )
group by
    t.patient_key,
    t.tumour_id;
