-- The dated facts of the patients in asked_patients, one row a fact. Patient level.
-- lane: what it is a fact of; label: in words. start_date to end_date: both inclusive, one day where they are equal;
-- end_date is null where an end is not recorded. earliest_date to latest_date: the days between which the fact can lie
-- where its dates are imprecise, else the same. dose_dates: the days of a course's single doses.
with keys as (
    select
        c.patient_id,
        c.patient_key,
        c.placement = 'middle' as is_middle
    from asked_patients as a
    inner join cases as c on a.patient_id = c.patient_id
),

follow_up (kind, label) as (
    values
    ('death', 'death'),
    ('last-contact', 'last contact'),
    ('transfer', 'transferred in'),
    ('transfer', 'transferred out'),
    ('cut-off', 'data cut-off')
),

placed as (
    select
        t.patient_key,
        null as row_number,
        t.tumour_id,
        'diagnosis' as kind,
        'Diagnosis' as lane,
        concat_ws(
            ', ',
            'diagnosis',
            'c' || nullif(concat_ws(' ', 'T' || t.clinical_t, 'N' || t.clinical_n), ''),
            'p' || nullif(concat_ws(' ', 'T' || t.pathological_t, 'N' || t.pathological_n), '')
        ) as label,
        t.diagnosis_date as start_date,
        t.diagnosis_date as end_date
    from stg_tumours as t
    where t.patient_key in (select k.patient_key from keys as k)
    union all
    select
        r.patient_key,
        r.row_number,
        r.tumour_id,
        'test' as kind,
        'Receptor test' as lane,
        concat_ws(
            ', ',
            r.specimen_site,
            case when not r.invasive then 'in situ' end,
            'IHC ' || cast(r.ihc as varchar) || case when r.ihc > 0 then '+' else '' end,
            'ISH ' || replace(r.ish, '_', ' '),
            'ER ' || regexp_replace(cast(r.er_percent as varchar), '\.0$', '') || ' %',
            'PR ' || regexp_replace(cast(r.pr_percent as varchar), '\.0$', '') || ' %'
        ) as label,
        r.specimen_date as start_date,
        r.test_date as end_date
    from stg_receptor_tests as r
    where r.patient_key in (select k.patient_key from keys as k)
    union all
    select
        s.patient_key,
        s.row_number,
        s.tumour_id,
        'surgery' as kind,
        'Surgery' as lane,
        concat_ws(
            ', ',
            coalesce(replace(s.procedure, '_', ' '), 'operation'),
            'ypT' || s.yp_t,
            'ypN' || s.yp_n,
            'RCB ' || s.rcb_class,
            case s.residual_invasive when true then 'residual disease' when false then 'no residual disease' end
        ) as label,
        s.surgery_date as start_date,
        s.surgery_date as end_date
    from stg_surgeries as s
    where s.patient_key in (select k.patient_key from keys as k)
    union all
    select
        r.patient_key,
        r.row_number,
        r.tumour_id,
        'radiotherapy' as kind,
        'Radiotherapy' as lane,
        coalesce(replace(r.target, '_', ' '), 'target not recorded') as label,
        r.start_date,
        r.end_date
    from stg_radiotherapy as r
    where r.patient_key in (select k.patient_key from keys as k)
    union all
    select
        e.patient_key,
        e.row_number,
        e.tumour_id,
        'event' as kind,
        'Event' as lane,
        concat_ws(
            ', ',
            coalesce(replace(e.event, '_', ' '), 'event'),
            'grade ' || cast(e.grade as varchar),
            e.site,
            replace(e.action, '_', ' ')
        ) as label,
        e.event_date as start_date,
        e.event_date as end_date
    from stg_events as e
    where e.patient_key in (select k.patient_key from keys as k)
    union all
    select
        a.patient_key,
        a.row_number,
        null as tumour_id,
        'heart' as kind,
        'Heart' as lane,
        concat_ws(
            ', ',
            'LVEF ' || regexp_replace(cast(a.lvef_percent as varchar), '\.0$', '') || ' %',
            a.result,
            a.method
        ) as label,
        a.assessment_date as start_date,
        a.assessment_date as end_date
    from stg_cardiac_assessments as a
    where a.patient_key in (select k.patient_key from keys as k)
    union all
    select
        x.patient_key,
        x.row_number,
        x.tumour_id,
        'reason' as kind,
        'Documented reason' as lane,
        x.reason || ' (' || coalesce(x.topic_name, 'topic not recognised') || ')' as label,
        x.recorded_date as start_date,
        x.recorded_date as end_date
    from stg_exceptions as x
    where x.patient_key in (select k.patient_key from keys as k)
    union all
    select
        i.patient_key,
        i.row_number,
        null as tumour_id,
        'imaging' as kind,
        'Imaging' as lane,
        replace(i.modality, '_', ' ') as label,
        i.imaging_date as start_date,
        i.imaging_date as end_date
    from stg_imaging as i
    where i.patient_key in (select k.patient_key from keys as k)
    union all
    select
        p.patient_key,
        null as row_number,
        null as tumour_id,
        b.kind,
        'Follow-up' as lane,
        b.label,
        case b.label
            when 'death' then p.death_date
            when 'last contact' then p.last_contact_date
            when 'transferred in' then p.transfer_in_date
            when 'transferred out' then p.transfer_out_date
            else $cutoff
        end as start_date,
        start_date as end_date
    from stg_patients as p
    cross join follow_up as b
    where p.patient_key in (select k.patient_key from keys as k)
),

-- A row of the record is one fact, however often its dates were placed.
recorded as (
    select
        k.patient_id,
        p.tumour_id,
        p.kind,
        p.lane,
        p.label,
        p.row_number,
        max(case when k.is_middle then p.start_date end) as start_date,
        max(case when k.is_middle then p.end_date end) as end_date,
        min(p.start_date) as earliest_date,
        max(p.end_date) as latest_date
    from placed as p
    inner join keys as k on p.patient_key = k.patient_key
    where p.start_date is not null
    group by
        k.patient_id,
        p.tumour_id,
        p.kind,
        p.lane,
        p.label,
        p.row_number
),

-- What a drug was given for, from day to day; a dispensing of endocrine treatment lasts, whenever it was.
given as (
    select distinct
        k.patient_id,
        d.ingredient,
        d.dose_date,
        d.dose_date as through_date,
        d.derived or d.open_course as from_course,
        d.open_course
    from fct_doses as d
    inner join keys as k on d.patient_key = k.patient_key
    inner join ingredients as i on d.ingredient = i.ingredient
    where k.is_middle and not i.is_endocrine
    union all
    select distinct
        k.patient_id,
        d.ingredient,
        d.dose_date,
        coalesce(d.end_date, cast(d.dose_date + cast(n.value as integer) - 1 as date)) as through_date,
        true as from_course,
        d.open_course
    from fct_doses as d
    inner join keys as k on d.patient_key = k.patient_key
    inner join ingredients as i on d.ingredient = i.ingredient
    inner join definitions as n on n.name = 'dispensing_days'
    where k.is_middle and i.is_endocrine and d.begins
    union all
    -- Ovarian suppression is a dose of no rule, and belongs to what a patient was given.
    select distinct
        t.patient_id,
        n.ingredient,
        coalesce(m.middle_day, t.start_date) as dose_date,
        coalesce(t.end_date, dose_date) as through_date,
        t.end_date is not null as from_course,
        false as open_course
    from treatments as t
    inner join asked_patients as a on t.patient_id = a.patient_id
    inner join drug_names as n on t.drug = n.drug
    inner join ingredients as i on n.ingredient = i.ingredient
    left join imprecise_dates as m
        on
            t.patient_id = m.patient_id
            and t.row_number = m.row_number
            and m.table_name = 'treatments'
            and m.column_name = 'start_date'
    where i.is_ovarian_suppression and dose_date is not null
),

reached as (
    select
        *,
        max(through_date) over (
            partition by patient_id, ingredient
            order by dose_date
            rows between unbounded preceding and 1 preceding
        ) as reached_date
    from given
),

numbered as (
    select
        r.*,
        sum(case when date_diff('day', r.reached_date, r.dose_date) > d.value then 1 else 0 end) over (
            partition by r.patient_id, r.ingredient
            order by r.dose_date
            rows between unbounded preceding and current row
        ) as course_number
    from reached as r
    inner join definitions as d on d.name = 'course_gap_days'
),

courses as (
    select
        patient_id,
        ingredient,
        min(dose_date) as start_date,
        case when not bool_or(open_course) then max(through_date) end as end_date,
        max(through_date) as known_through,
        list_sort(list(distinct dose_date) filter (where not from_course)) as dose_dates
    from numbered
    group by
        patient_id,
        ingredient,
        course_number
),

-- A drug's row with an imprecise date widens the course that it belongs to.
imprecise_drugs as (
    select distinct
        d.patient_id,
        n.ingredient,
        d.first_day,
        d.middle_day,
        d.last_day
    from imprecise_dates as d
    inner join asked_patients as a on d.patient_id = a.patient_id
    inner join treatments as t on d.row_number = t.row_number
    inner join drug_names as n on t.drug = n.drug
    where d.table_name = 'treatments' and n.ingredient is not null
),

drugs as (
    select
        c.patient_id,
        c.ingredient,
        c.start_date,
        c.end_date,
        c.dose_dates,
        least(c.start_date, min(d.first_day)) as earliest_date,
        case when c.end_date is not null then greatest(c.end_date, max(d.last_day)) end as latest_date
    from courses as c
    left join imprecise_drugs as d
        on
            c.patient_id = d.patient_id
            and c.ingredient = d.ingredient
            and d.middle_day between c.start_date and c.known_through
    group by
        c.patient_id,
        c.ingredient,
        c.start_date,
        c.end_date,
        c.dose_dates
),

unnamed as (
    select distinct
        k.patient_id,
        d.start_date,
        d.end_date
    from fct_doubts as d
    inner join keys as k on d.patient_key = k.patient_key
    where k.is_middle and d.reason = 'unrecognised-drug'
)

select
    patient_id,
    tumour_id,
    kind,
    lane,
    label,
    start_date,
    end_date,
    earliest_date,
    latest_date,
    cast([] as date[]) as dose_dates
from recorded
union all
select
    patient_id,
    cast(null as varchar) as tumour_id,
    'drug' as kind,
    ingredient as lane,
    case
        when end_date is null then 'course, end not recorded'
        when array_length(dose_dates) = 1 then '1 day with a dose'
        when array_length(dose_dates) > 1 then cast(array_length(dose_dates) as varchar) || ' days with a dose'
        else 'course'
    end as label,
    start_date,
    end_date,
    earliest_date,
    latest_date,
    coalesce(dose_dates, cast([] as date[])) as dose_dates
from drugs
union all
select
    patient_id,
    cast(null as varchar) as tumour_id,
    'drug' as kind,
    'unrecognised drug' as lane,
    'drug not recognised' as label,
    start_date,
    nullif(end_date, date '9999-12-31') as end_date,
    start_date as earliest_date,
    nullif(end_date, date '9999-12-31') as latest_date,
    cast([] as date[]) as dose_dates
from unnamed
union all
select
    l.patient_id,
    l.tumour_id,
    'line' as kind,
    'Line of treatment' as lane,
    'line ' || cast(l.line_number as varchar) || ': ' || l.regimen as label,
    l.start_date,
    l.end_date,
    l.start_date as earliest_date,
    l.end_date as latest_date,
    cast([] as date[]) as dose_dates
from lines as l
inner join asked_patients as a on l.patient_id = a.patient_id
