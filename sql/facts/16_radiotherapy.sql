-- fct_radiotherapy: one row a row of radiotherapy and a tumour of the side that it was aimed at.
-- is_local: breast, chest wall or nodes; null where no target is recorded. phase: previous to the diagnosis,
-- intraoperative, first-course, or later, once the disease came back.
create or replace table fct_radiotherapy as
with sides as (
    select
        t.patient_key,
        t.tumour_id,
        t.episode_key,
        t.diagnosis_date,
        o.tumour_id as named_tumour_id,
        o.episode_key = t.episode_key as same_episode
    from fct_tumours as t
    inner join fct_tumours as o
        on
            t.patient_key = o.patient_key
            and (
                t.tumour_id = o.tumour_id
                or t.laterality = o.laterality
                or (t.laterality = 'bilateral' and o.laterality is not null)
                or (o.laterality = 'bilateral' and t.laterality is not null)
            )
),

-- Two tumours of a breast share its operations.
operation_days as (
    select distinct
        s.patient_key,
        s.tumour_id,
        o.surgery_date
    from sides as s
    inner join stg_surgeries as o on s.patient_key = o.patient_key and s.named_tumour_id = o.tumour_id
    where o.procedure in ('breast_conserving', 'mastectomy', 're_excision')
)

select
    s.patient_key,
    s.tumour_id,
    s.episode_key,
    r.row_number,
    r.start_date,
    r.end_date,
    r.target,
    case when r.target is not null then r.target in ('breast', 'chest_wall', 'regional_nodes') end as is_local,
    case
        when r.start_date < s.diagnosis_date - $before_diagnosis_days then 'previous'
        when d.surgery_date is not null then 'intraoperative'
        when r.start_date >= f.recurrence_date then 'later'
        else 'first-course'
    end as phase
from sides as s
inner join fct_first_course as f on s.episode_key = f.episode_key
inner join stg_radiotherapy as r on s.patient_key = r.patient_key and s.named_tumour_id = r.tumour_id
left join operation_days as d
    on s.patient_key = d.patient_key and s.tumour_id = d.tumour_id and r.start_date = d.surgery_date
where
    r.start_date is not null
    and (s.same_episode or coalesce(r.start_date < s.diagnosis_date - $before_diagnosis_days, false));

-- fct_radiotherapy_courses: one row a course of radiotherapy of a tumour's side in its first course of treatment.
-- end_date: null where some row's end is not recorded; reached_date and through_date: the first and the last day that
-- it can have been.
create or replace table fct_radiotherapy_courses as
with local_rows as (
    select
        *,
        max(coalesce(end_date, start_date)) over (
            partition by patient_key, tumour_id
            order by start_date, row_number
            rows between unbounded preceding and 1 preceding
        ) as reached_before
    from fct_radiotherapy
    where phase = 'first-course' and coalesce(is_local, true)
),

numbered as (
    select
        *,
        1 + sum(case when start_date > reached_before + $radiotherapy_gap_days then 1 else 0 end) over (
            partition by patient_key, tumour_id
            order by start_date, row_number
            rows between unbounded preceding and current row
        ) as course_number
    from local_rows
)

select
    patient_key,
    tumour_id,
    episode_key,
    cast(course_number as integer) as course_number,
    min(start_date) as start_date,
    case when bool_and(end_date is not null) then max(end_date) end as end_date,
    max(coalesce(end_date, start_date)) as reached_date,
    max(coalesce(end_date, start_date + $radiotherapy_longest_days)) as through_date,
    coalesce(bool_or(is_local), false) as target_recorded
from numbered
group by
    patient_key,
    tumour_id,
    episode_key,
    course_number;

-- fct_local_treatment: one row a tumour: the kind of breast surgery in the first surgical series, and whether
-- radiotherapy is indicated. t3 and four_nodes are null where the record does not tell: pN1 without a node count does
-- not, and clinical N1 does not before neoadjuvant treatment after which no nodes were counted.
create or replace table fct_local_treatment as
with operated as (
    select
        t.patient_key,
        t.tumour_id,
        min(s.surgery_date) filter (where s.procedure = 'mastectomy') as mastectomy_date,
        min(s.surgery_date) filter (where s.procedure = 'breast_conserving') as conserving_date
    from fct_tumours as t
    inner join stg_surgeries as s on t.patient_key = s.patient_key and t.tumour_id = s.tumour_id
    where
        s.definitive
        and s.surgery_date between t.first_surgery_date and t.first_surgery_date + $surgical_series_days
        and s.surgery_date < coalesce(least(t.metastatic_date, t.recurrence_date), date '9999-12-31')
    group by
        t.patient_key,
        t.tumour_id
),

staged as (
    select
        t.patient_key,
        t.tumour_id,
        o.mastectomy_date,
        o.conserving_date,
        t.over_50_mm as t3,
        case
            when t.inflammatory or t.t = '4' or t.n in ('2', '3') then true
            when t.over_50_mm is not null then false
        end as locally_advanced,
        case
            when t.nodes_positive >= $pmrt_nodes or t.n in ('2', '3') then true
            when t.pathway <> 'surgery-first' and t.n in ('0', '0(i+)', '1mi') then false
            when t.pathway = 'surgery-first' and t.pathological_n in ('0', '0(i+)', '1mi') then false
            when t.nodes_positive is not null and t.n is not null then false
        end as four_nodes,
        t.node_positive
    from fct_tumours as t
    left join operated as o on t.patient_key = o.patient_key and t.tumour_id = o.tumour_id
)

select
    *,
    case
        when mastectomy_date is null then conserving_date is not null
        else coalesce(t3 or locally_advanced or four_nodes, false)
    end as radiotherapy_indicated
from staged;
