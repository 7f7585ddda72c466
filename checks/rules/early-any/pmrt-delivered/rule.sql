-- Mastectomy for T3, four or more positive nodes or locally advanced disease is followed by radiotherapy.
-- denominator: one HER2-positive M0 tumour a side with a mastectomy and an indication.
with sides as (
    select
        t.*,
        l.mastectomy_date,
        l.t3,
        l.locally_advanced,
        l.four_nodes,
        l.t3 and (t.node_positive or $indication = 't3-or-4-nodes-or-la') as large_enough,
        p.death_date,
        case when t.pathway = 'neoadjuvant' then t.first_surgery_date else t.diagnosis_date end as clock_start,
        row_number() over (
            partition by t.episode_key, coalesce(t.laterality, t.tumour_id)
            order by
                case when t.her2_status = 'positive' and l.mastectomy_date is not null then 0 else 1 end,
                t.episode_rank
        ) as place_on_side
    from fct_tumours as t
    inner join fct_local_treatment as l on t.patient_key = l.patient_key and t.tumour_id = l.tumour_id
    inner join stg_patients as p on t.patient_key = p.patient_key
),

scoped as (
    select
        *,
        case
            when large_enough or locally_advanced or four_nodes then true
            when not locally_advanced and not four_nodes then false
        end as indicated
    from sides
),

node_reports as (
    select
        s.patient_key,
        s.tumour_id,
        bool_and(o.yp_n in ('0', '0(i+)')) as nodes_cleared
    from scoped as s
    inner join stg_surgeries as o on s.patient_key = o.patient_key and s.tumour_id = o.tumour_id
    where
        s.pathway = 'neoadjuvant'
        and o.surgery_date between s.first_surgery_date and s.first_surgery_date + $surgical_series_days
        and o.surgery_date < coalesce(s.recurrence_date, date '9999-12-31')
    group by
        s.patient_key,
        s.tumour_id
),

irradiated as (
    select
        s.patient_key,
        s.tumour_id,
        bool_or(r.phase = 'previous' and coalesce(r.is_local, true)) as irradiated_before,
        min(r.start_date) filter (where r.phase = 'first-course' and r.target in ('chest_wall', 'breast'))
            as chest_wall_date,
        min(r.start_date) filter (
            where r.phase = 'first-course' and (r.target is null or r.target = 'regional_nodes')
        ) as unclear_date,
        list_sort(list(distinct coalesce(r.target, 'not recorded')) filter (where r.phase = 'first-course')) as targets
    from scoped as s
    inner join fct_radiotherapy as r on s.patient_key = r.patient_key and s.tumour_id = r.tumour_id
    group by
        s.patient_key,
        s.tumour_id
),

recorded as (
    select distinct patient_key
    from stg_radiotherapy
),

judged as (
    select
        s.*,
        s.clock_start + $due_days as due_date,
        n.nodes_cleared and $after_neoadjuvant = 'ypn0-spares' as nodes_cleared,
        coalesce(r.irradiated_before, false) as irradiated_before,
        r.chest_wall_date,
        r.unclear_date,
        r.targets,
        d.patient_key is not null as radiotherapy_seen,
        coalesce(r.chest_wall_date <= s.clock_start + $due_days, false) as started_in_time,
        coalesce(r.unclear_date <= s.clock_start + $due_days, false) as unclear_in_time
    from scoped as s
    left join node_reports as n on s.patient_key = n.patient_key and s.tumour_id = n.tumour_id
    left join irradiated as r on s.patient_key = r.patient_key and s.tumour_id = r.tumour_id
    left join recorded as d on s.patient_key = d.patient_key
)

select
    patient_key,
    tumour_id,
    site_id,
    episode_key,
    mastectomy_date as decision_date,
    due_date,
    clock_start,
    coalesce(diagnosis_date, date '0001-01-01') as observed_from,
    case
        when outside_early_her2 is not null then outside_early_her2
        when place_on_side > 1 then 'same-side'
        when mastectomy_date is null then 'no-mastectomy'
        when irradiated_before then 'previous-radiotherapy'
        when not indicated then 'not-indicated'
        when nodes_cleared then 'nodes-cleared'
        when death_date <= clock_start + $early_death_days then 'died-early'
    end as excluded,
    case
        when clock_start is null then 'diagnosis-date-missing'
        when indicated is null then 'stage-unknown'
        when started_in_time then null
        when laterality is null and tumour_count > 1 then 'laterality-missing'
        when unclear_in_time then 'target-not-recorded'
    end as missing_reason,
    case missing_reason
        when 'diagnosis-date-missing' then ['tumours.diagnosis_date']
        when 'laterality-missing' then ['tumours.laterality']
        when 'target-not-recorded' then ['radiotherapy.target']
        when 'stage-unknown'
            then
                case
                    when large_enough is null and four_nodes is null
                        then ['tumours.clinical_t', 'tumours.nodes_positive']
                    when large_enough is null and pathway = 'surgery-first' then ['tumours.pathological_t']
                    when large_enough is null then ['tumours.clinical_t']
                    else ['tumours.nodes_positive']
                end
    end as missing,
    case
        when
            started_in_time
            and pathway = 'neoadjuvant'
            and date_diff('day', first_surgery_date, chest_wall_date) > $late_days
            then 'late'
        when started_in_time then 'delivered'
    end as met,
    ['radiotherapy'] as lacking,
    'not-recorded-in-time' as failed,
    date_diff('day', chest_wall_date, due_date) as margin_days,
    excluded is null as gate_expected,
    radiotherapy_seen as gate_seen,
    case when excluded is null then to_json(struct_pack(
        diagnosis_date := diagnosis_date,
        laterality := laterality,
        pathway := pathway,
        t := t,
        n := n,
        nodes_positive := nodes_positive,
        inflammatory := inflammatory,
        first_surgery_date := first_surgery_date,
        mastectomy_date := mastectomy_date,
        first_radiotherapy_date := coalesce(chest_wall_date, unclear_date),
        radiotherapy_targets := array_to_string(targets, ', '),
        her2_basis := her2_basis
    )) end as evidence
from judged
