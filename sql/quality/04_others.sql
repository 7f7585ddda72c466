-- quality_surgeries: operations with a day of their own and what came before them.
create or replace temp view quality_surgeries as
with dated as (
    select
        s.*,
        case when v.row_number is null then s.surgery_date end as exact_date
    from surgeries as s
    left join vague_days as v
        on s.row_number = v.row_number and v.table_name = 'surgeries' and v.column_name = 'surgery_date'
),

read as (
    select
        g.row_number,
        max(g.yp_t) as read_yp_t,
        max(g.yp_n) as read_yp_n,
        max(g.tumour_id) as tumour_id
    from stg_surgeries as g
    group by g.row_number
)

select
    d.row_number,
    d.patient_id,
    r.tumour_id,
    d.exact_date as surgery_date,
    d.report_date,
    d.procedure,
    d.yp_t,
    d.yp_n,
    d.rcb_class,
    d.residual_invasive,
    r.read_yp_t,
    r.read_yp_n,
    p.tumours,
    t.diagnosis_date,
    f.first_systemic_date,
    f.metastatic_date,
    -- An operation that names no tumour may have been on the other breast.
    case
        when r.tumour_id is not null
            then min(case when d.procedure = 'mastectomy' then d.exact_date end) over (partition by r.tumour_id)
    end as first_mastectomy_date
from dated as d
inner join read as r on d.row_number = r.row_number
inner join quality_people as p on d.patient_id = p.patient_id
left join quality_tumours as t on r.tumour_id = t.tumour_id
left join quality_systemic as f on r.tumour_id = f.tumour_id;

-- quality_radiotherapy: courses of radiotherapy beside diagnosis and spread.
create or replace temp view quality_radiotherapy as
select
    r.row_number,
    r.patient_id,
    r.tumour_id,
    case when v.row_number is null then r.start_date end as start_date,
    case when v.row_number is null then r.end_date end as end_date,
    r.target,
    p.first_diagnosis_date
from radiotherapy as r
inner join quality_people as p on r.patient_id = p.patient_id
left join vague_rows as v on r.row_number = v.row_number and v.table_name = 'radiotherapy';

-- quality_lvef: assessments of the heart; values_differ where one day and method gives two values.
create or replace temp view quality_lvef as
select
    c.row_number,
    c.patient_id,
    c.lvef_percent,
    c.result,
    min(c.lvef_percent) over same_day <> max(c.lvef_percent) over same_day as values_differ
from cardiac_assessments as c
window same_day as (partition by c.patient_id, c.assessment_date, c.method);

-- quality_events: events with a day of their own beside the patient's sex, diagnosis and tumours.
create or replace temp view quality_events as
select
    e.row_number,
    e.patient_id,
    e.tumour_id,
    case when v.row_number is null then e.event_date end as event_date,
    e.event,
    e.grade,
    e.site,
    p.sex,
    p.tumours,
    p.first_diagnosis_date
from events as e
inner join quality_people as p on e.patient_id = p.patient_id
left join vague_days as v on e.row_number = v.row_number and v.table_name = 'events';

-- quality_exceptions: documented reasons beside what would bear them out.
create or replace temp view quality_exceptions as
with happened as (
    select
        patient_id,
        count(*) filter (
            where event in ('local_recurrence', 'regional_recurrence', 'distant_metastasis', 'progression')
        ) as recurrences,
        count(*) filter (where event = 'pregnancy') as pregnancies
    from events
    group by patient_id
)

select
    e.row_number,
    e.patient_id,
    e.tumour_id,
    case when v.row_number is null then e.recorded_date end as recorded_date,
    e.topic,
    e.reason,
    p.sex,
    p.death_date,
    p.transfer_out_date,
    p.first_diagnosis_date,
    coalesce(h.recurrences, 0) as recurrences,
    t.kind as topic_kind
from exceptions as e
inner join quality_people as p on e.patient_id = p.patient_id
left join happened as h on e.patient_id = h.patient_id
left join topics as t on e.topic = t.topic
left join vague_days as v on e.row_number = v.row_number and v.table_name = 'exceptions';

-- quality_observations: weights beside the patient's one before, and the body surface they give (Mosteller).
create or replace temp view quality_observations as
select
    o.row_number,
    o.patient_id,
    o.weight_kg,
    o.height_cm,
    o.bsa_m2,
    sqrt(o.weight_kg * o.height_cm / 3600) as expected_bsa_m2,
    lag(o.weight_kg) over in_order as weight_before_kg,
    date_diff('day', lag(o.observation_date) over in_order, o.observation_date) as days_since
from observations as o
window in_order as (partition by o.patient_id order by o.observation_date, o.row_number);

-- exact_dates: the dates of which it is asked whether they gather; none that could be several days.
create or replace temp view exact_dates as
with dates as (
    select
        'patients' as table_name,
        'birth_date' as column_name,
        row_number,
        patient_id,
        cast(null as varchar) as tumour_id,
        birth_date as day
    from patients
    where birth_date is not null
    union all
    select
        'tumours' as table_name,
        'diagnosis_date' as column_name,
        row_number,
        patient_id,
        tumour_id,
        diagnosis_date as day
    from tumours
    where diagnosis_date is not null
    union all
    select
        'surgeries' as table_name,
        'surgery_date' as column_name,
        row_number,
        patient_id,
        tumour_id,
        surgery_date as day
    from surgeries
    where surgery_date is not null
    union all
    select
        'treatments' as table_name,
        'start_date' as column_name,
        row_number,
        patient_id,
        tumour_id,
        start_date as day
    from treatments
    where start_date is not null
)

select d.*
from dates as d
left join imprecise_dates as i
    on d.table_name = i.table_name and d.row_number = i.row_number and d.column_name = i.column_name
where i.row_number is null;

-- date_shares: one row a column: how many exact dates it holds, and the share of them on such a day.
create or replace temp table date_shares as
select
    table_name,
    column_name,
    count(*) as dated,
    avg(case when extract(day from day) = 1 then 1.0 else 0.0 end) as firsts,
    avg(case when extract(day from day) = 1 and extract(month from day) = 1 then 1.0 else 0.0 end) as new_years
from exact_dates
group by
    table_name,
    column_name;

-- quality_pile_ups: exact dates on a first of the month, where dates gather that somebody filled in.
-- dated: how many dates the column holds; firsts, new_years: the share of them on such a day.
create or replace temp view quality_pile_ups as
select
    d.table_name,
    d.column_name,
    d.row_number,
    d.patient_id,
    d.tumour_id,
    extract(month from d.day) = 1 as in_january,
    s.dated,
    s.firsts,
    s.new_years
from exact_dates as d
inner join date_shares as s on d.table_name = s.table_name and d.column_name = s.column_name
where extract(day from d.day) = 1;
